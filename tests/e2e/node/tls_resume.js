// node tls_resume.js PORT VERSION CA CERT KEY: connects, and comes back with the session that it was given.
"use strict";
const fs = require("fs");
const tls = require("tls");

const [port, version, ca, cert, key] = process.argv.slice(2);
const options = {
  host: "127.0.0.1", port, servername: "localhost", ca: fs.readFileSync(ca), cert: fs.readFileSync(cert),
  key: fs.readFileSync(key), minVersion: version, maxVersion: version, checkServerIdentity: () => undefined,
};

function visit(session, then) {
  const socket = tls.connect({ ...options, session });
  let latest, reused;
  socket.on("session", (one) => { latest = one; });
  socket.on("secureConnect", () => { reused = socket.isSessionReused(); socket.write("ping"); });
  socket.on("data", () => socket.end());
  socket.on("error", (error) => { console.log(JSON.stringify({ error: String(error) })); process.exit(0); });
  socket.on("close", () => then(latest, reused));
}

visit(undefined, (session, first) => visit(session, (_, again) => console.log(JSON.stringify({ first, again }))));
