const res = await fetch("https://api.imagepipeline.io/generate/speech/v1", {
method: "POST",
headers: {
"X-API-Key": process.env.IMAGEPIPELINE_API_KEY,
"Content-Type": "application/json",
},
body: JSON.stringify({
"text": "Welcome to ImagePipeline.",
"language_id": "en",
"exaggeration": 0.5
}),
});
const { job_id } = await res.json();
