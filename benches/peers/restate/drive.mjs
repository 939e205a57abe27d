// `drive.mjs begin` waits for the server and registers the service; `drive.mjs WIDTH CASES` plays so many cases, so many
// at a time, and prints their times in milliseconds and how long all took.
import { Agent, request } from "node:http";

const agent = new Agent({ keepAlive: true });

function call(port, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const options = { host: "127.0.0.1", port, path, method: body ? "POST" : "GET", headers, agent };
    const asked = request(options, (response) => {
      let text = "";
      response.on("data", (part) => (text += part));
      response.on("end", () =>
        response.statusCode < 300 ? resolve(text) : reject(new Error(`${response.statusCode}: ${text}`)),
      );
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

async function begin() {
  for (let tries = 0; ; tries += 1) {
    try {
      await call(9070, "/health");
      await call(9070, "/deployments", JSON.stringify({ uri: "http://127.0.0.1:9081" }));
      return;
    } catch (error) {
      if (tries > 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function play(width, cases) {
  const times = [];
  let left = cases;
  const one = async () => {
    while (left-- > 0) {
      const start = performance.now();
      const sum = await call(8080, "/cases/ten", "{}");
      if (sum !== "55") throw new Error(`a case gave ${sum}`);
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  return times;
}

if (process.argv[2] === "begin") {
  await begin();
} else {
  const [width, cases] = process.argv.slice(2).map(Number);
  await play(width, width * 2);
  const start = performance.now();
  const times = await play(width, cases);
  console.log(JSON.stringify({ all: performance.now() - start, times }));
}
process.exit(0);
