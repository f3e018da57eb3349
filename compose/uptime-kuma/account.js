// Makes the first account of Uptime Kuma by the call that its own page of the first start makes. Runs in Uptime Kuma's image.
"use strict";

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

// the library of the image, whichever folder this file is mounted to
const { io } = createRequire("/app/package.json")("socket.io-client");

const end = (code, text) => {
    console.log(text);
    process.exit(code);
};

setTimeout(() => end(1, "no answer within 60 s"), 60_000);
const socket = io(process.env.KUMA_URL || "http://uptime-kuma:3001", { transports: ["websocket"] });
socket.on("connect_error", (error) => console.log(`not yet: ${error.message}`));
socket.on("connect", () =>
    socket.emit("needSetup", (needed) => {
        if (!needed) {
            end(0, "there is an account");
        }
        const password = readFileSync("/run/secrets/admin-password", "utf8").trim();
        socket.emit("setup", "admin", password, (answer) =>
            answer.ok ? end(0, "the account admin is made") : end(1, `refused: ${answer.msg}`)
        );
    })
);
