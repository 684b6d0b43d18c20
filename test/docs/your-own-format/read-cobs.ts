import { FrameBuffer } from 'couplet'
import { COBSDecoder } from './cobs-decoder.ts'

const input = new FrameBuffer()
input.append(new Uint8Array([3, 0x11, 0x22, 2, 0x33, 0, 1, 1, 0, 5]))

const decoder = new COBSDecoder()
console.log(decoder.decode(input)) // → Uint8Array(4) [ 17, 34, 0, 51 ]
console.log(decoder.decode(input)) // → Uint8Array(1) [ 0 ]
console.log(decoder.decode(input), input.length) // → undefined 1
