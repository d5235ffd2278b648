// A node-opcua server whose every value can be checked: value = f(index, tick), source timestamp = time of the tick.
//
//   node server.mjs '{"port": 4840, "variables": 100, "types": ["Double"], "rateMs": 1000}'
//
// Commands come on stdin, a line of JSON each; answers and "ready" go to stdout.
import path from "node:path";
import readline from "node:readline";
import {
    DataType, DataValue, MessageSecurityMode, OPCUACertificateManager, OPCUAServer, SecurityPolicy,
    StatusCodes, Variant, VariantArrayType
} from "node-opcua";

const defaults = {
    port: 4840,
    host: "127.0.0.1",
    variables: 10,
    types: ["Double"],          // variable i has type types[i % types.length]
    rateMs: 0,                  // 0: values change only by command
    namespaces: ["urn:wanglian:test:machine"],   // in the order of their indexes
    machine: 0,                 // which of them holds the variables
    twin: null,                 // which of them holds variables of the same names whose values are all 777
    minimumSamplingMs: 10,
    limits: {},                 // operation limits and capabilities, by name
    security: null,             // {pki, certificate, key, policies: [], modes: []}; null is None
    users: null,                // {name: password}; null lets everybody in
    extra: [],                  // "array", "structure", "bytes", "long", "date", "null", "enumeration", "duration"
    bad: [],                    // indexes of variables that answer Bad
    subscribe: true
};
const options = { ...defaults, ...JSON.parse(process.argv[2] ?? "{}") };

function say(message) {
    process.stdout.write(JSON.stringify(message) + "\n");
}

// node-opcua holds 64 bits as two halves of 32.
function pair(value) {
    const bits = BigInt.asUintN(64, value);
    return [Number(bits >> 32n), Number(bits & 0xffffffffn)];
}

// The truth a test computes again: see tests/servers/node_opcua.py.
function raw(type, index, tick) {
    const n = tick * 7 + index;
    switch (type) {
        case "Boolean": return n % 2 === 1;
        case "SByte": return n % 100 - 50;
        case "Byte": return n % 200;
        case "Int16": return n % 30000 - 15000;
        case "UInt16": return n % 60000;
        case "Int32": return n - 1000000;
        case "UInt32": return 3000000000 + n % 1000000;
        case "Int64": return pair(-9007199254740993n - BigInt(n));
        case "UInt64": return pair(18446744073709551615n - BigInt(n));
        case "Float": return n / 8;
        case "Double": return n / 10;
        case "String": return `text ${n} 网联`;
        case "LocalizedText": return { text: `text ${n}`, locale: "zh" };
        default: throw new Error(type);
    }
}

let tick = 0;
let tickTime = new Date();
const variables = [];

function valueOf(variable) {
    if (variable.twin) {
        return new DataValue({
            value: new Variant({ dataType: variable.dataType, value: variable.type === "String" ? "777" : 777 }),
            sourceTimestamp: tickTime, serverTimestamp: tickTime, statusCode: StatusCodes.Good
        });
    }
    if (options.bad.includes(variable.index)) {
        return new DataValue({ statusCode: StatusCodes.BadSensorFailure, sourceTimestamp: tickTime });
    }
    return new DataValue({
        value: new Variant({ dataType: variable.dataType, arrayType: VariantArrayType.Scalar, value: raw(variable.type, variable.index, tick) }),
        sourceTimestamp: tickTime,
        serverTimestamp: new Date(),
        statusCode: StatusCodes.Good
    });
}

function advance() {
    tick += 1;
    tickTime = new Date();
    for (const variable of variables) {
        variable.node.setValueFromSource(
            ...(() => { const v = valueOf(variable); return [v.value, v.statusCode, tickTime]; })()
        );
    }
}

function fill(namespace, twin) {
    const folder = namespace.addObject({
        organizedBy: server.engine.addressSpace.rootFolder.objects,
        browseName: "Machine", nodeId: "s=Machine"
    });
    for (let index = 0; index < options.variables; index += 1) {
        const type = options.types[index % options.types.length];
        const node = namespace.addVariable({
            componentOf: folder, browseName: `v${index}`, nodeId: `s=v${index}`,
            dataType: DataType[type], minimumSamplingInterval: options.minimumSamplingMs
        });
        const variable = { index, type, dataType: DataType[type], node, twin };
        variables.push(variable);
        const first = valueOf(variable);
        node.setValueFromSource(first.value, first.statusCode, tickTime);
    }
    return folder;
}

function addExtra(namespace, folder) {
    const space = server.engine.addressSpace;
    const made = {
        array: { dataType: "Double", value: { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: new Float64Array([1, 2, 3]) }, valueRank: 1 },
        structure: { dataType: "Range", value: { dataType: DataType.ExtensionObject, value: space.constructExtensionObject(space.findDataType("Range"), { low: 1, high: 2 }) } },
        bytes: { dataType: "ByteString", value: { dataType: DataType.ByteString, value: Buffer.from("abc") } },
        long: { dataType: "String", value: { dataType: DataType.String, value: "x".repeat(options.longText ?? 100000) } },
        date: { dataType: "DateTime", value: { dataType: DataType.DateTime, value: new Date() } },
        null: { dataType: "Double", value: { dataType: DataType.Null } },
        enumeration: { dataType: "ServerState", value: { dataType: DataType.Int32, value: 1 } },
        duration: { dataType: "Duration", value: { dataType: DataType.Double, value: 12.5 } },
        number: { dataType: "Number", value: { dataType: DataType.UInt16, value: 40000 } },
        changing: { dataType: "BaseDataType", value: { dataType: DataType.Double, value: 1.5 } },
        guid: { dataType: "Double", nodeId: "g=72962b91-fa75-4ae6-8d28-b404dc7daf63", value: { dataType: DataType.Double, value: 4.5 } },
        opaque: { dataType: "Double", nodeId: "b=M/RbKBsRVkePCePcx24oRA==", value: { dataType: DataType.Double, value: 5.5 } },
        numeric: { dataType: "Double", nodeId: "i=1005", value: { dataType: DataType.Double, value: 6.5 } }
    };
    for (const name of options.extra) {
        const { dataType, value, valueRank, nodeId } = made[name];
        extras[name] = namespace.addVariable({
            componentOf: folder, browseName: name, nodeId: nodeId ?? `s=${name}`, dataType,
            valueRank: valueRank ?? -1, minimumSamplingInterval: options.minimumSamplingMs, value
        });
    }
}

const extras = {};
const settings = {
    port: options.port,
    hostname: options.host,
    host: options.host,
    resourcePath: "/test",
    serverInfo: { applicationUri: options.security?.applicationUri ?? "urn:wanglian:test:server" },
    maxConnectionsPerEndpoint: 20,
    allowAnonymous: options.users === null,
    disableDiscovery: true,
    serverCapabilities: {
        maxSessions: 50,
        maxMonitoredItems: 200000, maxMonitoredItemsPerSubscription: 100000, maxSubscriptions: 100,
        maxSubscriptionsPerSession: 100,
        ...(options.limits.capabilities ?? {}),
        operationLimits: { ...(options.limits.operations ?? {}) }
    },
    userManager: {
        isValidUser: (name, password) => options.users !== null && options.users[name] === password,
        ...(options.users !== null ? { getUserRoles: () => "" } : {})
    }
};
if (options.security === null) {
    settings.securityPolicies = [SecurityPolicy.None];
    settings.securityModes = [MessageSecurityMode.None];
} else {
    settings.securityPolicies = options.security.policies.map((name) => SecurityPolicy[name]);
    settings.securityModes = options.security.modes.map((name) => MessageSecurityMode[name]);
    settings.certificateFile = options.security.certificate;
    settings.privateKeyFile = options.security.key;
}
const pki = options.security?.pki ?? path.join(process.cwd(), `pki-${options.port}`);
settings.serverCertificateManager = new OPCUACertificateManager({
    rootFolder: pki, automaticallyAcceptUnknownCertificate: options.security?.acceptAll ?? true
});
settings.userCertificateManager = new OPCUACertificateManager({
    rootFolder: path.join(pki, "users"), automaticallyAcceptUnknownCertificate: options.security?.acceptUsers ?? true
});
const server = new OPCUAServer(settings);
await server.initialize();
const spaces = options.namespaces.map((uri) => server.engine.addressSpace.registerNamespace(uri));
const folder = fill(spaces[options.machine], false);
addExtra(spaces[options.machine], folder);
if (options.twin !== null) {
    fill(spaces[options.twin], true);
}

let timer = options.rateMs > 0 ? setInterval(advance, options.rateMs) : null;

const commands = {
    advance: ({ times = 1 }) => { for (let i = 0; i < times; i += 1) advance(); return { tick, time: tickTime.getTime() }; },
    state: () => ({ tick, sessions: server.engine.currentSessionCount, subscriptions: server.engine.currentSubscriptionCount }),
    // Every variable changes `times` times, `everyMs` apart, whatever the rate.
    burst: ({ times, everyMs }) => new Promise((resolve) => {
        let left = times;
        const burst = setInterval(() => {
            advance();
            left -= 1;
            if (left === 0) { clearInterval(burst); resolve({ tick }); }
        }, everyMs);
    }),
    set: ({ name, dataType, value }) => { extras[name].setValueFromSource({ dataType: DataType[dataType], value }); return {}; },
    remove: ({ index }) => { server.engine.addressSpace.deleteNode(variables[index].node); variables.splice(index, 1); return {}; },
    add: ({ name, dataType, value }) => {
        extras[name] = spaces[options.machine].addVariable({
            componentOf: folder, browseName: name, nodeId: `s=${name}`, dataType,
            minimumSamplingInterval: options.minimumSamplingMs, value: { dataType: DataType[dataType], value }
        });
        return {};
    },
    namespace: ({ uri }) => { server.engine.addressSpace.registerNamespace(uri); return {}; },
    endSessions: async () => {
        for (const session of Object.values(server.engine._sessions)) {
            server.engine.closeSession(session.authenticationToken, true, "Terminated");
        }
        return {};
    },
    stop: async () => { await server.shutdown(0); return {}; }
};

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
    const { command, ...args } = JSON.parse(line);
    try {
        say({ done: command, ...(await commands[command](args)) });
    } catch (error) {
        say({ failed: command, reason: String(error) });
    }
});
process.stdin.on("end", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
await server.start();
say({ ready: true, port: options.port });
