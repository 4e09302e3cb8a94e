// A client of HTTP/2: node h2_client.js URL CA|- COUNT METHOD PATH [BYTES]. COUNT streams of one connection at once, each
// with a body of BYTES bytes. Prints {statuses, lengths, hashes, trailers}, the sent hash, and how the session ended.
const http2 = require('http2');
const fs = require('fs');
const crypto = require('crypto');

const [url, ca, count, method, path, size] = process.argv.slice(2);
const PIECE = Buffer.alloc(65536, 'abcdefgh');
const session = http2.connect(url, ca === '-' ? {} : { ca: fs.readFileSync(ca) });
const result = { statuses: [], lengths: [], hashes: [], trailers: [], bodies: [], errors: [] };
let open = Number(count);

function finish() {
  open -= 1;
  if (open > 0) return;
  session.close(() => console.log(JSON.stringify(result)));
}

function push(stream, left) {
  while (left > 0) {
    const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE;
    left -= piece.length;
    if (!stream.write(piece)) {
      stream.once('drain', () => push(stream, left));
      return;
    }
  }
  stream.end();
}

function one(index) {
  const stream = session.request({ ':method': method, ':path': path }, { endStream: !size });
  const hash = crypto.createHash('sha256');
  let length = 0;
  let text = '';
  result.trailers[index] = {};
  stream.on('response', (headers) => { result.statuses[index] = headers[':status']; });
  stream.on('trailers', (headers) => { result.trailers[index] = { ...headers }; });
  stream.on('data', (part) => {
    length += part.length;
    hash.update(part);
    if (text.length < 200) text += part.toString('latin1').slice(0, 200);
  });
  stream.on('error', (error) => result.errors.push(String(error)));
  stream.on('close', () => {
    result.lengths[index] = length;
    result.hashes[index] = hash.digest('hex');
    result.bodies[index] = text.slice(0, 200);
    finish();
  });
  if (size) push(stream, Number(size));
}
session.on('error', (error) => { result.errors.push(String(error)); console.log(JSON.stringify(result)); process.exit(0); });
for (let index = 0; index < Number(count); index += 1) one(index);
