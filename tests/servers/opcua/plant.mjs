// An OPC UA server whose every value can be recomputed from its source timestamp, and a journal of its ticks.
//
//     node plant.mjs --port 4840 --variables 100 --tick 100 --folder DIR --journal FILE
//
// Variables are s=x_0, s=x_1 … in namespace urn:wanglian:test:plant. Every `tick` ms, on whole multiples of it
// since 1970, all of them get a new value with exactly that source timestamp t (ms):
//
//     n = (t + 7919 i) mod 2^24
//
// and by i mod 7 the value is: 0 Double n / 8, 1 Float n, 2 Int32 n - 2^23, 3 UInt32 n, 4 Int64 2^53 + 1 + n,
// 5 Boolean bit 8 of n, 6 String "s" and n. The journal has a line `<t>` for each tick, written before its values
// are. Prints `serving <url>`; SIGTERM ends it. `folder` holds its certificate.
import { appendFileSync, mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  DataType,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAServer,
  SecurityPolicy,
  StatusCodes,
  VariantArrayType,
} from "node-opcua";

const { values: options } = parseArgs({
  options: {
    port: { type: "string" },
    variables: { type: "string", default: "100" },
    tick: { type: "string", default: "100" },
    folder: { type: "string" },
    journal: { type: "string" },
  },
});
const tick = Number(options.tick);
const count = Number(options.variables);
mkdirSync(options.folder, { recursive: true });

const TYPES = ["Double", "Float", "Int32", "UInt32", "Int64", "Boolean", "String"];

function value(i, t) {
  const n = (t + 7919 * i) % 16777216;
  switch (i % 7) {
    case 0: return { dataType: DataType.Double, value: n / 8 };
    case 1: return { dataType: DataType.Float, value: n };
    case 2: return { dataType: DataType.Int32, value: n - 8388608 };
    case 3: return { dataType: DataType.UInt32, value: n };
    case 4: return { dataType: DataType.Int64, arrayType: VariantArrayType.Scalar, value: [0x200000, n + 1] };
    case 5: return { dataType: DataType.Boolean, value: (n & 256) !== 0 };
    default: return { dataType: DataType.String, value: `s${n}` };
  }
}

const certificates = new OPCUACertificateManager({
  rootFolder: options.folder,
  automaticallyAcceptUnknownCertificate: true,
});
await certificates.initialize();
const server = new OPCUAServer({
  hostname: "127.0.0.1",
  host: "127.0.0.1",
  port: Number(options.port),
  resourcePath: "/plant",
  securityModes: [MessageSecurityMode.None],
  securityPolicies: [SecurityPolicy.None],
  allowAnonymous: true,
  serverCertificateManager: certificates,
  userCertificateManager: certificates,
  serverCapabilities: { minSupportedSampleRate: 10 },
});
await server.initialize();
const namespace = server.engine.addressSpace.registerNamespace("urn:wanglian:test:plant");
const plant = namespace.addFolder("ObjectsFolder", { browseName: "Plant" });
const now = () => Math.floor(Date.now() / tick) * tick;
const variables = [];
for (let i = 0; i < count; i++) {
  const variable = namespace.addVariable({
    organizedBy: plant,
    nodeId: `s=x_${i}`,
    browseName: `x_${i}`,
    dataType: TYPES[i % 7],
    minimumSamplingInterval: 10,
  });
  variables.push(variable);
}

let last = 0;
function update() {
  const t = now();
  if (t > last) {
    last = t;
    appendFileSync(options.journal, `${t}\n`);
    const stamp = new Date(t);
    for (let i = 0; i < count; i++) {
      variables[i].setValueFromSource(value(i, t), StatusCodes.Good, stamp);
    }
  }
  setTimeout(update, now() + tick - Date.now());
}
update();
await server.start();
console.log(`serving ${server.getEndpointUrl()}`);
process.on("SIGTERM", async () => {
  await server.shutdown(0);
  process.exit(0);
});
