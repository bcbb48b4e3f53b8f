curl -X POST https://api.imagepipeline.io/generate/image/v1 \
-H "X-API-Key: $IMAGEPIPELINE_API_KEY" \
-H "Content-Type: application/json" \
-d '{
"prompt": "a person in a red jacket on a rooftop at golden hour",
"width": 1024,
"height": 1024,
"output_format": "webp"
}'
