const res = await fetch("https://api.imagepipeline.io/generate/video/v1", {
method: "POST",
headers: {
"X-API-Key": process.env.IMAGEPIPELINE_API_KEY,
"Content-Type": "application/json",
},
body: JSON.stringify({
"input_image": "https://.../still.webp",
"prompt": "make this image come alive, cinematic motion",
"duration_seconds": 2.0,
"width": 896,
"height": 512
}),
});
const { job_id } = await res.json();
