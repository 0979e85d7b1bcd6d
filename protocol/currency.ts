/**
 * ISO 4217 codes as numbers: three letters A–Z in base 26 fit 15 bits, so a currency is one small field everywhere.
 */

/** The number of a currency code of three letters A–Z; -1 for anything else. */
export function currencyNumber(code: string): number {
  if (code.length !== 3) return -1
  let number = 0
  for (let i = 0; i < 3; i++) {
    const letter = code.charCodeAt(i) - 65
    if (letter < 0 || letter > 25) return -1
    number = number * 26 + letter
  }
  return number
}

const names = new Map<number, string>()

export function currencyName(number: number): string {
  let name = names.get(number)
  if (name === undefined) {
    const a = Math.floor(number / 676) % 26
    const b = Math.floor(number / 26) % 26
    name = String.fromCharCode(65 + a, 65 + b, 65 + (number % 26))
    names.set(number, name)
  }
  return name
}
