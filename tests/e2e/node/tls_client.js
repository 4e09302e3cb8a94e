// A TLS client: node tls_client.js PORT VERSION CA COUNT REQUEST [CERTIFICATE KEY]. COUNT connections, each after the first with
// what the one before left it to resume; each sends REQUEST and reads to the end. Prints [{version, reused, answer}].
const fs = require('fs');
const tls = require('tls');

const [port, version, ca, count, request, certificate, key] = process.argv.slice(2);
const options = { host: '127.0.0.1', port: Number(port), servername: 'localhost', ca: fs.readFileSync(ca), minVersion: version, maxVersion: version };
if (certificate) Object.assign(options, { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
const results = [];

function one(session) {
  let answer = '';
  let next = session;
  const socket = tls.connect({ ...options, session }, () => socket.write(request));
  socket.on('session', (given) => { next = given; });
  socket.on('data', (part) => { answer += part; });
  socket.on('end', () => {
    results.push({ version: socket.getProtocol(), reused: socket.isSessionReused(), answer });
    if (results.length < Number(count)) one(next);
    else console.log(JSON.stringify(results));
  });
}

one(undefined);
