import chromium from "@sparticuz/chromium";

// Unpacks Chromium into TMPDIR: the package knows no other place, and unpacks the libraries that a bare system lacks
// only where it believes itself in a Lambda (chromium.ts says so).
await chromium.executablePath();
