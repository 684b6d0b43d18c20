import { Deferred } from 'couplet'

const promise = Promise.resolve(1)
console.log(await promise.then((n) => n + 1)) // → 2
console.log(await promise.then((n) => n + 1)) // → 2

const deferred = new Deferred<number>()
deferred.addCallback((n) => n + 1)
deferred.addCallback((n) => n + 1)
deferred.callback(1)
console.log(await deferred) // → 3
