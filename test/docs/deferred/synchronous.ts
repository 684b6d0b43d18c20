import { Deferred } from 'couplet'

const promise = Promise.resolve(1).then((n) => console.log(`promise ${n}`))
const deferred = new Deferred<number>()
deferred.addCallback((n) => console.log(`deferred ${n}`))
deferred.callback(1) // → deferred 1
console.log('end of the turn') // → end of the turn
await promise // → promise 1
