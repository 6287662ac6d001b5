import { type Command, defineCommand } from '../command.ts'
import { knownThings } from '../completion/things.ts'
import { wishOf } from '../completion/wish.ts'
import { textFlag } from '../flags.ts'

/** What the scripts of `basalt completion` call; it completes the commands that it is given. */
export const completeCommand = (
  commands: readonly Command[],
  groups: Readonly<Record<string, string>>,
): Command =>
  defineCommand({
    name: 'complete',
    summary: 'print what can follow a command line',
    flags: { line: textFlag('text', 'the command line up to the cursor') },
    args: {},
    examples: [],
    schemas: ['basalt.candidates/v1'],
    hidden: true,
    async run({ flags }, context) {
      const wish = wishOf(flags.line ?? '', commands, groups)
      const things = await knownThings(wish, context)
      const candidates = [
        ...wish.words,
        ...things.map((thing) => ({ ...thing, value: wish.prefix + thing.value })),
      ]
      const files = wish.things === 'file'
      await context.output.result({ schema: 'basalt.candidates/v1', candidates, files }, () =>
        [...candidates.map(({ value, help }) => `${value}\t${help}`), ...(files ? [':files'] : [])].join(
          '\n',
        ),
      )
    },
  })
