// runtime.cjs: ONNX Runtime with a network of Weft's in it, and seeded inputs for it.
'use strict';
const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const DIMS = { N: 1, seq: 32, past: 31 };
const BELOW = { input_ids: 30522, token_type_ids: 2, words: 10000, levels: 256 }; // of integer inputs, by name; category0, ...: 10000

function load_runtime() {
    const from = process.env.WEFT_ONNXRUNTIME;
    try {
        return require(from ? path.join(path.resolve(from), 'node_modules', 'onnxruntime-node') : 'onnxruntime-node');
    } catch (error) {
        console.log(`skipped: onnxruntime-node is not here (${String(error.message).split('\n')[0]}).`);
        console.log('npm install --ignore-scripts --prefix DIR onnxruntime-node, and WEFT_ONNXRUNTIME=DIR in the environment, bring it.');
        process.exit(77);
    }
}

// --- inputs --------------------------------------------------------------------------------------------------------------

let state = 1;
function uniform() { // a linear congruence
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
}

function normal() {
    return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

function fill(meta, count) {
    const length = meta.shape[meta.shape.length - 1];
    if (meta.type === 'int64') {
        const below = BELOW[meta.name] || 10000;
        const position = meta.name === 'position_ids';
        return BigInt64Array.from({ length: count }, (_, i) => BigInt(position ? (length === 1 ? DIMS.past : i % length) : Math.floor(below * uniform())));
    }
    if (meta.type !== 'float32')
        throw new Error(`input ${meta.name} is ${meta.type}; float32 and int64 can be made`);
    const masks = meta.name === 'attention_mask';
    return Float32Array.from({ length: count }, (_, i) => masks ? (i % length < 0.75 * length ? 1 : 0) : normal());
}

function make_input(meta) {
    const shape = meta.shape.map((d) => typeof d === 'number' ? d : DIMS[d] || 1);
    const count = shape.reduce((a, b) => a * b, 1);
    return { name: meta.name, type: meta.type, shape, data: fill({ ...meta, shape }, count) };
}

// --- sessions ------------------------------------------------------------------------------------------------------------

// A folder that is gone when the process is.
function make_folder() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-onnxruntime-'));
    process.on('exit', () => fs.rmSync(folder, { recursive: true }));
    return folder;
}

// `weft models` writes the network with its weights; ONNX Runtime reads it, for one thread.
async function open_session(weft, network, folder) {
    const ort = load_runtime(), file = path.join(folder, 'network.onnx');
    execFileSync(weft, ['models', network, '-o', file], { stdio: 'inherit' });
    const session = await ort.InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 });
    const inputs = session.inputMetadata.map(make_input), feeds = {};
    for (const input of inputs)
        feeds[input.name] = new ort.Tensor(input.type, input.data, input.shape);
    const open = new Set(session.inputMetadata.flatMap((meta) => meta.shape.filter((d) => d === 'seq' || d === 'past')));
    return { session, inputs, feeds, dims: [...open].flatMap((d) => ['--dim', `${d}=${DIMS[d]}`]) };
}

module.exports = { make_folder, open_session };
