// A node-opcua server whose every value can be checked: value = f(index, tick), source timestamp = time of the tick.
//
//   node server.mjs '{"port": 4840, "variables": 100, "types": ["Double"], "rateMs": 1000}'
//
// Commands come on stdin, a line of JSON each; answers and "ready" go to stdout.
import path from "node:path";
import readline from "node:readline";
import {
    DataType, DataValue, MessageSecurityMode, OPCUACertificateManager, OPCUAServer, SecurityPolicy, ServerSession,
    StatusCodes, Variant, VariantArrayType, standardUnits
} from "node-opcua";

const defaults = {
    port: 4840,
    host: "127.0.0.1",
    variables: 10,
    types: ["Double"],          // variable i has type types[i % types.length]
    rateMs: 0,                  // 0: values change only by command
    namespaces: ["urn:wanglian:test:machine"],   // in the order of their indexes
    machine: 0,                 // which of them holds the variables; null: none does
    twin: null,                 // which of them holds variables of the same names whose values are all 777
    minimumSamplingMs: 10,
    operations: {},             // operation limits, by name
    capabilities: {},           // other limits, by name
    publishRequests: 100,       // that may wait; the oldest of more are sent back
    hideLimits: false,          // enforce them without telling
    security: null,             // {pki, certificate, key, policies: [], modes: []}; null is None
    users: null,                // {name: password}; null lets everybody in
    extra: [],                  // names of `extraVariables`
    bad: [],                    // indexes of variables that answer Bad
    transfer: false,            // whether anybody may take over subscriptions of an anonymous user
    history: null,              // [from, to): indexes of the variables whose history is kept, 10,000 values each
    longText: 100000
};
let options = { ...defaults, ...JSON.parse(process.argv[2] ?? "{}") };
let server = null;
let variables = [];
let extras = {};
let tick = 0;
let tickTime = new Date();
let timer = null;

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

function valueOf(variable) {
    if (options.bad.includes(variable.index)) {
        return new DataValue({ statusCode: StatusCodes.BadSensorFailure, sourceTimestamp: tickTime });
    }
    const value = variable.twin ? 777 : raw(variable.type, variable.index, tick);
    return new DataValue({
        value: new Variant({ dataType: variable.dataType, arrayType: VariantArrayType.Scalar, value }),
        sourceTimestamp: tickTime, serverTimestamp: new Date(), statusCode: StatusCodes.Good
    });
}

function write(variable) {
    const made = valueOf(variable);
    variable.node.setValueFromSource(made.value ?? { dataType: DataType.Null }, made.statusCode, tickTime);
}

function advance() {
    tick += 1;
    tickTime = new Date();
    variables.forEach(write);
}

function fill(namespace, twin) {
    const folder = namespace.addObject({
        organizedBy: server.engine.addressSpace.rootFolder.objects, browseName: "Machine", nodeId: "s=Machine"
    });
    for (let index = 0; index < options.variables; index += 1) {
        const type = options.types[index % options.types.length];
        const node = namespace.addVariable({
            componentOf: folder, browseName: `v${index}`, nodeId: `s=v${index}`,
            dataType: DataType[type], minimumSamplingInterval: options.minimumSamplingMs
        });
        variables.push({ index, type, dataType: DataType[type], node, twin });
        if (options.history && options.history[0] <= index && index < options.history[1]) {
            node.historizing = true;
            server.engine.addressSpace.installHistoricalDataNode(node, { maxOnlineValues: 10000 });
        }
        write(variables.at(-1));
    }
    return folder;
}

function extraVariables(space) {
    const scalar = (dataType, value, more = {}) => ({ dataType, value: { dataType: DataType[dataType], value }, ...more });
    const range = space.constructExtensionObject(space.findDataType("Range"), { low: 1, high: 2 });
    const numbers = new Float64Array([1, 2, 3]);
    return {
        array: { dataType: "Double", valueRank: 1, value: { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: numbers } },
        structure: { dataType: "Range", value: { dataType: DataType.ExtensionObject, value: range } },
        bytes: scalar("ByteString", Buffer.from("abc")),
        matrix: { dataType: "Int16", valueRank: 2, arrayDimensions: [2, 3], value: {
            dataType: DataType.Int16, arrayType: VariantArrayType.Matrix, dimensions: [2, 3], value: new Int16Array([1, 2, 3, 4, 5, 6])
        } },
        ranges: { dataType: "Range", valueRank: 1, value: {
            dataType: DataType.ExtensionObject, arrayType: VariantArrayType.Array,
            value: [5, 6].map((low) => space.constructExtensionObject(space.findDataType("Range"), { low, high: 9 }))
        } },
        unit: { dataType: "EUInformation", value: { dataType: DataType.ExtensionObject, value: standardUnits.degree_celsius } },
        texts: { dataType: "LocalizedText", valueRank: 1, value: {
            dataType: DataType.LocalizedText, arrayType: VariantArrayType.Array, value: [{ text: "一" }, { text: "two" }]
        } },
        uuid: scalar("Guid", "72962B91-FA75-4AE6-8D28-B404DC7DAF63"),
        long: scalar("String", "x".repeat(options.longText)),
        date: scalar("DateTime", new Date()),
        null: { dataType: "Double", value: { dataType: DataType.Null } },
        enumeration: { dataType: "ServerState", value: { dataType: DataType.Int32, value: 1 } },
        duration: { dataType: "Duration", value: { dataType: DataType.Double, value: 12.5 } },
        number: { dataType: "Number", value: { dataType: DataType.UInt16, value: 40000 } },
        changing: { dataType: "BaseDataType", value: { dataType: DataType.Double, value: 1.5 } },
        analog: scalar("Double", 50, {
            engineeringUnitsRange: { low: 0, high: 200 }, engineeringUnits: standardUnits.degree_celsius
        }),
        guid: scalar("Double", 4.5, { nodeId: "g=72962b91-fa75-4ae6-8d28-b404dc7daf63" }),
        opaque: scalar("Double", 5.5, { nodeId: "b=M/RbKBsRVkePCePcx24oRA==" }),
        numeric: scalar("Double", 6.5, { nodeId: "i=1005" })
    };
}

function addExtra(namespace, folder, name, made) {
    const add = made.engineeringUnitsRange ? "addAnalogDataItem" : "addVariable";
    extras[name] = namespace[add]({
        componentOf: folder, browseName: name, nodeId: `s=${name}`, valueRank: -1,
        minimumSamplingInterval: options.minimumSamplingMs, ...made
    });
}

function settings() {
    const security = options.security;
    const pki = security?.pki ?? path.join(process.cwd(), `pki-${options.port}`);
    return {
        port: options.port, hostname: options.host, host: options.host, resourcePath: "/test",
        disableDiscovery: security?.hidden ?? false,   // whether endpoints are told only to who is trusted
        serverInfo: { applicationUri: security?.applicationUri ?? "urn:wanglian:test:server" },
        maxConnectionsPerEndpoint: 20,
        allowAnonymous: options.users === null,
        allowAnonymousSubscriptionTransferOnUnsecuredChannel: options.transfer,
        serverCapabilities: {
            maxSessions: 50, maxMonitoredItems: 200000, maxMonitoredItemsPerSubscription: 100000,
            maxSubscriptions: 100, maxSubscriptionsPerSession: 100, ...options.capabilities,
            operationLimits: { ...options.operations }
        },
        userManager: { isValidUser: (name, password) => options.users !== null && options.users[name] === password },
        securityPolicies: security ? security.policies.map((name) => SecurityPolicy[name]) : [SecurityPolicy.None],
        securityModes: security ? security.modes.map((name) => MessageSecurityMode[name]) : [MessageSecurityMode.None],
        ...(security ? { certificateFile: security.certificate, privateKeyFile: security.key } : {}),
        serverCertificateManager: new OPCUACertificateManager({
            rootFolder: pki, automaticallyAcceptUnknownCertificate: security?.acceptAll ?? true
        }),
        userCertificateManager: new OPCUACertificateManager({
            rootFolder: path.join(pki, "users"), automaticallyAcceptUnknownCertificate: security?.acceptUsers ?? true
        })
    };
}

let folder = null;
let spaces = [];

async function start() {
    ServerSession.maxPublishRequestInQueue = options.publishRequests;
    server = new OPCUAServer(settings());
    await server.initialize();
    const space = server.engine.addressSpace;
    [variables, extras] = [[], {}];
    spaces = options.namespaces.map((uri) => space.registerNamespace(uri));
    if (options.machine !== null) {
        folder = fill(spaces[options.machine], false);
        const known = extraVariables(space);
        options.extra.forEach((name) => addExtra(spaces[options.machine], folder, name, known[name]));
    }
    if (options.twin !== null) {
        fill(spaces[options.twin], true);
    }
    if (options.hideLimits) {
        for (const id of [11705, 11710, 11714]) {
            space.deleteNode(space.findNode(`i=${id}`));
        }
    }
    await server.start();
    timer = options.rateMs > 0 ? setInterval(advance, options.rateMs) : null;
}

async function stop() {
    clearInterval(timer);
    await server.shutdown(0);
}

function subscriptions() {
    return Object.values(server.engine._sessions).flatMap((session) => session.publishEngine.subscriptions);
}

const commands = {
    advance: ({ times = 1 }) => {
        for (let i = 0; i < times; i += 1) {
            advance();
        }
        return { tick };
    },
    // `overflows`: values the server's queues have thrown away.
    state: () => ({
        tick, overflows: subscriptions().reduce((sum, each) => sum + each.subscriptionDiagnostics.monitoringQueueOverflowCount, 0),
        sessions: server.engine.currentSessionCount, subscriptions: server.engine.currentSubscriptionCount,
        opened: server.engine.cumulatedSessionCount, subscribed: server.engine.cumulatedSubscriptionCount
    }),
    // Sessions end as by their timeout: what they subscribed lives on for whoever takes it over.
    expire: () => {
        Object.values(server.engine._sessions).forEach((session) => {
            server.engine.closeSession(session.authenticationToken, false, "Timeout");
        });
        return {};
    },
    // Every variable changes `times` times, `everyMs` apart, whatever the rate.
    burst: ({ times, everyMs }) => new Promise((resolve) => {
        let left = times;
        const burst = setInterval(() => {
            advance();
            left -= 1;
            if (left === 0) {
                clearInterval(burst);
                resolve({ tick });
            }
        }, everyMs);
    }),
    set: ({ name, dataType, value }) => {
        extras[name].setValueFromSource({ dataType: DataType[dataType], arrayType: VariantArrayType.Scalar, value });
        return {};
    },
    setArray: ({ name, dataType, value }) => {
        extras[name].setValueFromSource({ dataType: DataType[dataType], arrayType: VariantArrayType.Array, value });
        return {};
    },
    add: ({ name, dataType, value }) => {
        addExtra(spaces[options.machine], folder, name, { dataType, value: { dataType: DataType[dataType], value } });
        return {};
    },
    remove: ({ name }) => {
        server.engine.addressSpace.deleteNode(extras[name]);
        return {};
    },
    namespace: ({ uri }) => {
        server.engine.addressSpace.registerNamespace(uri);
        return {};
    },
    // The sessions live and answer, but their subscriptions say nothing any more, not even that they live.
    silence: () => {
        subscriptions().forEach((subscription) => subscription._stop_timer());
        return { subscriptions: subscriptions().length };
    },
    // Each subscription forgets its next message: its number is used up, nobody can have it again.
    lose: () => {
        subscriptions().forEach((subscription) => subscription._get_next_sequence_number());
        return {};
    },
    terminate: () => {
        subscriptions().forEach((subscription) => subscription.terminate());
        return {};
    },
    stop,
    // Another server on the same port: nothing of the one before is left, its options neither.
    restart: async (changed) => {
        await stop();
        options = { ...defaults, port: options.port, ...changed };
        await start();
        return {};
    }
};

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
    const { command, ...args } = JSON.parse(line);
    try {
        say({ done: command, ...(await commands[command](args)) });
    } catch (error) {
        say({ failed: command, reason: String(error.stack) });
    }
});
process.stdin.on("end", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
await start();
say({ ready: true, port: options.port });
