import { amp } from 'couplet'

export class NoSuchPoem extends Error {}

export const Line = amp.command('Line', {
  arguments: { poem: amp.Unicode(), number: amp.Integer({ as: 'number' }) },
  response: { text: amp.Unicode().optional() },
  errors: { NO_SUCH_POEM: NoSuchPoem },
})
