// A server of HTTP/1.1: node h1_origin.js PORT. Says each request as a line of JSON.
//   /hints  103, then 200     /trailers  an answer with trailers     /hash  length and SHA-256 of the body
//   /bytes/N  N bytes         anything else: the body, or "hello"
const http = require('http');
const crypto = require('crypto');

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const numbers = new Map();
const PIECE = Buffer.alloc(65536, 'abcdefgh');

function bytes(response, left) {
  response.writeHead(200, { 'content-length': left });
  const go = () => {
    while (left > 0) {
      const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE;
      left -= piece.length;
      if (!response.write(piece)) {
        response.once('drain', go);
        return;
      }
    }
    response.end();
  };
  go();
}

const server = http.createServer((request, response) => {
  const hash = crypto.createHash('sha256');
  const parts = [];
  let length = 0;
  request.on('data', (part) => {
    length += part.length;
    if (request.url === '/hash') hash.update(part); else parts.push(part);
  });
  request.on('end', () => {
    say({ method: request.method, url: request.url, headers: request.headers, trailers: request.trailers,
      connection: numbers.get(request.socket) });
    if (request.url === '/hints') {
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      response.end('hinted');
    } else if (request.url === '/trailers') {
      response.writeHead(200, { trailer: 'x-sum' });
      response.write('some');
      response.addTrailers({ 'x-sum': '42' });
      response.end('thing');
    } else if (request.url === '/hash') {
      response.end(`${length} ${hash.digest('hex')}`);
    } else if (request.url.startsWith('/bytes/')) {
      bytes(response, Number(request.url.slice(7)));
    } else {
      response.end(length ? Buffer.concat(parts) : 'hello');
    }
  });
});
server.on('connection', (socket) => numbers.set(socket, numbers.size));
server.keepAliveTimeout = 60000;
server.listen(Number(process.argv[2]), '127.0.0.1', () => say('listening'));
