// Loaded before the product (`node --import`): it is told that the machine has 8 GB, so that what it takes by a share of the
// machine's memory is what it would take on such a one, whatever the bench runs on.

import os from 'node:os'
import { syncBuiltinESMExports } from 'node:module'

const EIGHT_GIGABYTES = 8 * 1_024 ** 3

os.totalmem = () => EIGHT_GIGABYTES
syncBuiltinESMExports()
