// time.cjs WEFT NETWORK [RUNS]: seconds that ONNX Runtime takes for one inference on one thread, the median of so many runs behind a first one.
'use strict';
const { make_folder, open_session } = require('./runtime.cjs');

async function main() {
    const [weft, network, runs] = process.argv.slice(2);
    const { session, feeds } = await open_session(weft, network, make_folder());
    const seconds = [];
    await session.run(feeds);
    for (let i = 0; i < Number(runs || 5); i++) {
        const start = process.hrtime.bigint();
        await session.run(feeds);
        seconds.push(Number(process.hrtime.bigint() - start) / 1e9);
    }
    seconds.sort((a, b) => a - b);
    console.log(seconds[seconds.length >> 1].toFixed(4));
}

main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
});
