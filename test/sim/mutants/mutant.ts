/** A defect of the kind that happens, as data: the simulated world is only as good as the defects that it finds. */
export interface Mutant {
  /** What goes wrong with it, as a sentence. */
  readonly breaks: string
  /** The file, from `src/` on. */
  readonly file: string
  /** The text that is replaced; it is there once. */
  readonly from: string
  readonly to: string
}

/** @throws Error unless it applies to the text, in one place */
export function mutated(text: string, { file, from, to }: Mutant): string {
  const places = text.split(from).length - 1
  if (places !== 1) throw new Error(`${file} has ${places} places that read: ${from}`)
  return text.replace(from, () => to)
}
