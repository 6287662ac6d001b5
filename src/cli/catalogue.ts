import type { Command } from './command.ts'
import { abortCommand } from './commands/abort.ts'
import { auditVerifyCommand } from './commands/audit-verify.ts'
import { buildCommand } from './commands/build.ts'
import { completeCommand } from './commands/complete.ts'
import { completionCommand } from './commands/completion.ts'
import { deployCommand } from './commands/deploy.ts'
import { diffCommand } from './commands/diff.ts'
import { doctorCommand } from './commands/doctor.ts'
import { downCommand } from './commands/down.ts'
import { followCommand } from './commands/follow.ts'
import { historyCommand } from './commands/history.ts'
import { imageImportCommand } from './commands/image-import.ts'
import { imagePullCommand } from './commands/image-pull.ts'
import { imagePushCommand } from './commands/image-push.ts'
import { initCommand } from './commands/init.ts'
import { logsCommand } from './commands/logs.ts'
import { planCommand } from './commands/plan.ts'
import { registryDisableCommand } from './commands/registry-disable.ts'
import { registryEnableCommand } from './commands/registry-enable.ts'
import { registryGrantCommand } from './commands/registry-grant.ts'
import { registryRevokeCommand } from './commands/registry-revoke.ts'
import { registryStatusCommand } from './commands/registry-status.ts'
import { registryTokensCommand } from './commands/registry-tokens.ts'
import { releaseExportCommand } from './commands/release-export.ts'
import { releaseImportCommand } from './commands/release-import.ts'
import { releasePullCommand } from './commands/release-pull.ts'
import { releasePushCommand } from './commands/release-push.ts'
import { releasesCommand } from './commands/releases.ts'
import { removeCommand } from './commands/remove.ts'
import { rollbackCommand } from './commands/rollback.ts'
import { serverRestartCommand } from './commands/server-restart.ts'
import { serverRunCommand } from './commands/server-run.ts'
import { serverStartCommand } from './commands/server-start.ts'
import { serverStatusCommand } from './commands/server-status.ts'
import { serverStopCommand } from './commands/server-stop.ts'
import { statusCommand } from './commands/status.ts'
import { upCommand } from './commands/up.ts'
import { validateCommand } from './commands/validate.ts'
import { versionCommand } from './commands/version.ts'

const commands: readonly Command[] = [
  initCommand,
  validateCommand,
  buildCommand,
  upCommand,
  planCommand,
  deployCommand,
  rollbackCommand,
  downCommand,
  followCommand,
  abortCommand,
  statusCommand,
  historyCommand,
  diffCommand,
  logsCommand,
  releasesCommand,
  releaseExportCommand,
  releaseImportCommand,
  releasePushCommand,
  releasePullCommand,
  imageImportCommand,
  imagePullCommand,
  imagePushCommand,
  registryEnableCommand,
  registryDisableCommand,
  registryStatusCommand,
  registryGrantCommand,
  registryTokensCommand,
  registryRevokeCommand,
  auditVerifyCommand,
  doctorCommand,
  serverStartCommand,
  serverStopCommand,
  removeCommand,
  serverStatusCommand,
  serverRestartCommand,
  serverRunCommand,
  completionCommand,
  versionCommand,
]

/** Words that group commands: `basalt release export`. */
export const groups: Readonly<Record<string, string>> = {
  release: 'move releases between machines',
  image: 'bring in images that other tools made, and move them to and from registries',
  registry: 'serve images to Docker and others',
  audit: 'check the ledger',
  server: 'control the server',
}

/** Every command, in the order in which help shows them. */
export const catalogue: readonly Command[] = [...commands, completeCommand(commands, groups)]
