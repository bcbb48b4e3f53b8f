const res = await fetch("https://api.imagepipeline.io/generate/3d/v1", {
method: "POST",
headers: {
"X-API-Key": process.env.IMAGEPIPELINE_API_KEY,
"Content-Type": "application/json",
},
body: JSON.stringify({
"image_path": "https://.../object.webp",
"mode": "generate"
}),
});
const { job_id } = await res.json();
