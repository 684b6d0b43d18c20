import { LineTooLong } from 'couplet'
import { textLines } from 'couplet/rx'
import { everyChunking } from 'couplet/testing'
import * as fc from 'fast-check'
import { from, of, Subject, take } from 'rxjs'
import { expect, it } from 'vitest'
import { heard } from './heard.ts'

it.each(['\n', '\r\n', 'œœ'])('lines that end in %j are the same wherever the chunks are cut', (delimiter) => {
  const anyLine = fc.string({ unit: fc.constantFrom('a', 'é', 'œ', '\r', '\n', '💧'), maxLength: 6 })
  fc.assert(
    fc.property(
      fc.array(anyLine, { maxLength: 5 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
      (lines, sizes) => {
        const text = lines.join(delimiter)
        const bytes = new TextEncoder().encode(text)
        const chunks: Uint8Array[] = []
        for (let start = 0, size = 0; start < bytes.length; start += size) {
          size = sizes.next().value
          chunks.push(bytes.subarray(start, start + size))
        }
        const expected = text.split(delimiter)
        if (expected.at(-1) === '') expected.pop()
        expect(heard(from(chunks).pipe(textLines({ delimiter }))).log).toEqual([...expected, 'complete'])
      },
    ),
  )
})

it('every chunking of a short text gives the same', () => {
  everyChunking(new TextEncoder().encode('é\n\nœ\n'), (chunks) => {
    expect(heard(from(chunks).pipe(textLines())).log).toEqual(['é', '', 'œ', 'complete'])
  })
})

it('a line that is too long is an error, with its end or without, after the lines before it', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  expect(heard(of(bytes('abc\nabcd\nabc\n')).pipe(textLines({ maxLength: 3 }))).log).toEqual([
    'abc',
    expect.any(LineTooLong),
  ])
  const source = new Subject<Uint8Array>()
  const { log } = heard(source.pipe(textLines({ maxLength: 3 })))
  source.next(bytes('ab'))
  source.next(bytes('cd'))
  expect(log).toEqual([expect.any(LineTooLong)])
  expect(source.observed).toBe(false)
})

it('nothing comes after the subscriber has left, not even from the same chunk', () => {
  expect(heard(of(new TextEncoder().encode('a\nb\nc\n')).pipe(textLines(), take(2))).log).toEqual([
    'a',
    'b',
    'complete',
  ])
})
