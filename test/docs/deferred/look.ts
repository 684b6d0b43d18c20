import { Deferred } from 'couplet'

const d = new Deferred<number>()
d.callback(42)
console.log(await d, await d.then((n) => n + 1)) // → 42 43
console.log(d) // → Deferred { 42 }
