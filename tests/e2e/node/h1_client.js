// A client of HTTP/1.1 with one kept connection: node h1_client.js PORT COUNT METHOD PATH [BODY]. One request after the
// other; with a body they are chunked and have trailers. Prints {statuses, bodies, trailers, sockets}.
const http = require('http');

const [port, count, method, path, body] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const result = { statuses: [], bodies: [], trailers: [], hints: [], sockets: 0 };
const sockets = new Set();

function one(left) {
  if (left === 0) {
    result.sockets = sockets.size;
    console.log(JSON.stringify(result));
    agent.destroy();
    return;
  }
  const headers = body ? { trailer: 'x-client-sum' } : {};
  const request = http.request({ host: '127.0.0.1', port, method, path, agent, headers }, (response) => {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('end', () => {
      result.statuses.push(response.statusCode);
      result.bodies.push(Buffer.concat(parts).toString('latin1'));
      result.trailers.push(response.trailers);
      one(left - 1);
    });
  });
  request.on('socket', (socket) => sockets.add(socket));
  request.on('information', (information) => result.hints.push(information.statusCode));
  if (body) {
    request.write(body);
    request.addTrailers({ 'x-client-sum': '7' });
  }
  request.end();
}
one(Number(count));
