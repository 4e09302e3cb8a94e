// A server of HTTP/2 without TLS (prior knowledge), or with it: node h2_origin.js PORT [CHAIN.pem KEY.pem]. Says each
// request as a line of JSON.
//   content-type application/grpc  the body back, with trailers     /only-trailers  an answer that is trailers only
//   /hash  length and SHA-256 of the body     /bytes/N  N bytes     /hints  103, then 200
//   /reset  half an answer, then RST_STREAM     /refuse  RST_STREAM with REFUSED_STREAM at once     /slow  after 300 ms
const http2 = require('http2');
const crypto = require('crypto');
const fs = require('fs');

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const numbers = new Map();
const PIECE = Buffer.alloc(65536, 'abcdefgh');

function bytes(stream, left) {
  stream.respond({ ':status': 200, 'content-length': left });
  const go = () => {
    while (left > 0) {
      const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE;
      left -= piece.length;
      if (!stream.write(piece)) {
        stream.once('drain', go);
        return;
      }
    }
    stream.end();
  };
  go();
}

function grpc(stream) {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }));
  stream.pipe(stream);
}

function collected(stream, then) {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => then(Buffer.concat(parts)));
}

function answer(stream, headers) {
  const path = headers[':path'];
  if (headers['content-type'] === 'application/grpc') return grpc(stream);
  if (path === '/only-trailers') {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true });
  } else if (path === '/refuse') {
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  } else if (path === '/reset') {
    stream.respond({ ':status': 200, 'content-length': 100 });
    stream.write('half', () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  } else if (path === '/hash') {
    const hash = crypto.createHash('sha256');
    let length = 0;
    stream.on('data', (part) => { length += part.length; hash.update(part); });
    stream.on('end', () => {
      if (stream.destroyed) return;
      stream.respond({ ':status': 200 });
      stream.end(`${length} ${hash.digest('hex')}`);
    });
  } else if (path.startsWith('/bytes/')) {
    bytes(stream, Number(path.slice(7)));
  } else if (path === '/hints') {
    stream.additionalHeaders({ ':status': 103, link: '</style.css>; rel=preload' });
    stream.respond({ ':status': 200 });
    stream.end('hinted');
  } else if (path === '/slow') {
    setTimeout(() => { if (!stream.destroyed) { stream.respond({ ':status': 200 }); stream.end('slow'); } }, 300);
  } else {
    collected(stream, (body) => { stream.respond({ ':status': 200 }); stream.end(body.length ? body : 'hello'); });
  }
  return undefined;
}

const [port, chain, key] = process.argv.slice(2);
const server = chain
  ? http2.createSecureServer({ cert: fs.readFileSync(chain), key: fs.readFileSync(key) })
  : http2.createServer();
server.on('session', (session) => numbers.set(session, numbers.size));
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  say({ method: headers[':method'], path: headers[':path'], authority: headers[':authority'] || headers.host,
    headers, connection: numbers.get(stream.session) });
  stream.on('trailers', (trailers) => say({ trailers }));
  answer(stream, headers);
});
server.listen(Number(port), '127.0.0.1', () => say('listening'));
