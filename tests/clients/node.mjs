// Runs one call of ssh2-sftp-client: node node.mjs '{"port":…,"calls":[["put","a","b"],…]}'
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const job = JSON.parse(process.argv[2]);
const Client = createRequire(job.modules + "/")("ssh2-sftp-client");
const client = new Client();
client.on("error", () => {});
await client.connect({
  host: job.host,
  port: job.port,
  username: job.user,
  privateKey: readFileSync(job.key),
});
try {
  for (const [name, ...rest] of job.calls) {
    if (name === "size") {
      console.log((await client.stat(rest[0])).size);
      continue;
    }
    if (name === "append") rest[0] = readFileSync(rest[0]);
    const result = await client[name](...rest);
    if (name === "list") console.log(JSON.stringify(result.map((each) => each.name)));
  }
} finally {
  await client.end();
}
