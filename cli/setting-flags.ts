/**
 * Flags of settings: `--data-dir` is TEAROFF_DATA_DIR, and wins over it. Made from the table of settings, so that a setting
 * cannot exist in one form only.
 */
import type { Command } from 'commander'
import { SETTINGS, type SettingName, type Settings, settingsOfEnvironment } from './configuration.ts'

const NAMES = Object.keys(SETTINGS) as SettingName[]

/** Adds the flags of these settings, all of them unless said otherwise. */
export function addSettingFlags(command: Command, names: readonly SettingName[] = NAMES): Command {
  for (const name of names) command.option(`--${hyphened(name)} <value>`, SETTINGS[name])
  return command
}

/** The settings of an environment and of the flags that a command was given. Throws ConfigurationError. */
export function settingsOf(
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, unknown>>,
): Settings {
  const settings = settingsOfEnvironment(environment)
  for (const name of NAMES) {
    const value = flags[camelCased(name)]
    if (typeof value === 'string') settings[name] = value
  }
  return settings
}

function hyphened(name: SettingName): string {
  return name.toLowerCase().replaceAll('_', '-')
}

/** How commander calls the value of a flag. */
function camelCased(name: SettingName): string {
  return name.toLowerCase().replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}
