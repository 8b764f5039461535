// compare.cjs WEFT NETWORK [--format FORMAT]: the same network, with the same weights and inputs, in Weft and in ONNX Runtime.
// Prints the outputs that differ, or the greatest difference; exit status 1 where a float differs by more than 1e-3 of itself or of the output's root mean
// square, whichever is greater, or an integer at all; 77 where onnxruntime-node is not there.
'use strict';
const { execFileSync } = require('child_process');
const path = require('path');
const { read_npz, write_npz } = require('./npz.cjs');
const { make_folder, open_session } = require('./runtime.cjs');

const LIMIT = 1e-3;

function compare(name, got, wanted) {
    const reals = wanted instanceof Float32Array;
    let squares = 0, worst = 0, at = 0, apart = 0;
    if (!got || got.length !== wanted.length)
        return { fine: false, worst: Infinity, line: `${name}: ${got ? got.length : 'no'} values instead of ${wanted.length}` };
    for (let i = 0; i < wanted.length; i++)
        squares += reals ? wanted[i] * wanted[i] : 0;
    const rms = Math.sqrt(squares / wanted.length);
    for (let i = 0; i < wanted.length; i++) {
        const off = reals ? Math.abs(got[i] - wanted[i]) / Math.max(Math.abs(wanted[i]), rms) : Number(got[i] !== wanted[i]);
        apart += off > LIMIT || Number.isNaN(off) ? 1 : 0;
        if (off > worst || Number.isNaN(off))
            worst = off, at = i;
    }
    const most = reals ? `at most ${worst.toExponential(1)} apart (element ${at}: ${got[at]} and ${wanted[at]}), rms ${rms.toExponential(2)}`
                       : `${apart} differ${apart ? ` (element ${at}: ${got[at]} instead of ${wanted[at]})` : ''}`;
    return { fine: apart === 0, worst, line: `${name}: ${wanted.length} values, ${most}` };
}

async function main() {
    const [weft, network, ...options] = process.argv.slice(2);
    const folder = make_folder(), given = path.join(folder, 'in.npz'), out = path.join(folder, 'out.npz');
    const { session, inputs, feeds, dims } = await open_session(weft, network, folder);
    write_npz(given, inputs);
    const wanted = await session.run(feeds);
    execFileSync(weft, ['run', network, ...dims, '-i', given, '-q', '-o', out, ...options], { stdio: 'inherit' });
    const got = read_npz(out);
    const all = session.outputNames.map((name) => compare(name, got[name], wanted[name].data));
    const wrong = all.filter((one) => !one.fine), furthest = all.reduce((a, b) => a.worst >= b.worst ? a : b);
    for (const one of wrong)
        console.log(`WRONG ${one.line}`);
    if (!wrong.length)
        console.log(`${all.length} outputs agree; the furthest: ${furthest.line}`);
    process.exitCode = wrong.length ? 1 : 0;
}

main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
});
