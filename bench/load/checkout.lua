-- Makes the requests of wrk: POST /v1/redemptions or /v1/validate with a user (and an order) never seen before.
--
--   wrk … http://127.0.0.1:PORT -- redeem|validate CODES TAG
--
-- CODES is a file walked in a circle, a line a cart: one coupon code, or several with commas between them. TAG makes
-- users and orders of this run new. The same script runs against the product and against the bare server, so the client
-- costs both the same. Bodies must stay equal, byte for byte, to those of redeem-request.ts; a test compares them.

local kind, tag
local codes = {}
local number = 0

function init(args)
  kind = args[1]
  for line in io.lines(args[2]) do codes[#codes + 1] = line:gsub(",", '","') end
  tag = args[3]
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.path = kind == "redeem" and "/v1/redemptions" or "/v1/validate"
end

local CART = '"cart":{"currency":"EUR","lines":[{"productId":"p1","quantity":1,"unitPrice":4999}]}}'

local function body()
  local code = codes[number % #codes + 1]
  local suffix = tag .. string.format("%08d", number)
  number = number + 1
  if kind == "redeem" then
    return '{"codes":["' .. code .. '"],"userId":"u' .. suffix .. '","orderId":"o' .. suffix .. '",' .. CART
  end
  return '{"codes":["' .. code .. '"],"userId":"u' .. suffix .. '",' .. CART
end

function request()
  local text = body()
  return "POST " .. wrk.path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    .. #text .. "\r\n\r\n" .. text
end

-- One line of JSON that wrk.ts looks for among what wrk prints itself.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"statusErrors":%d,"socketErrors":%d,"timeouts":%d,"p50Us":%d,"p99Us":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write, e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
