import { connected } from 'couplet/testing'
import { Thermometer } from './thermometer.ts'

const thermometer = new Thermometer()
const transport = connected(thermometer)
thermometer.ask().addCallback((degrees) => console.log(`${degrees} °C`))
transport.receive('21\r\n') // → 21 °C
console.log('receive() returns') // → receive() returns
