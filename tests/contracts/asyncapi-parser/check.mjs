// Reads an AsyncAPI document, prints what the official parser says against it, exits 1 for errors and warnings.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const serious = diagnostics.filter(({ severity }) => severity <= 1);
for (const { code, message, path } of diagnostics) {
  console.log(`${code} at /${path.join("/")}: ${message}`);
}
console.log(`${document?.messages().length ?? 0} messages, ${document?.channels().length ?? 0} channels`);
process.exit(document && serious.length === 0 ? 0 : 1);
