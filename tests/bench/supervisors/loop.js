// The supervisor loop of a Node.js agent: starts every child, and each ten seconds starts again whichever is gone.
'use strict';
const { spawn } = require('node:child_process');
const children = JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8')).map((argv) => ({ argv, child: null }));
const start = (entry) => {
    entry.child = spawn(entry.argv[0], entry.argv.slice(1), { stdio: 'ignore' });
    entry.child.on('exit', () => { entry.child = null; });
};
children.forEach(start);
setInterval(() => children.filter((entry) => entry.child === null).forEach(start), 10000);
