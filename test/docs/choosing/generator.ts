import { inlineCallbacks } from 'couplet'
import { connected } from 'couplet/testing'
import { Thermometer } from './thermometer.ts'

const average = inlineCallbacks(function* (thermometer: Thermometer) {
  const before = yield* thermometer.ask()
  const after = yield* thermometer.ask()
  return (before + after) / 2
})

const thermometer = new Thermometer()
const transport = connected(thermometer)
average(thermometer).addCallback((degrees) => console.log(`${degrees} °C on average`))
transport.receive('20\r\n')
transport.receive('22\r\n') // → 21 °C on average
average(thermometer).cancel() // gives up what it waits for
