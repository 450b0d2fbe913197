-- Sends messages: each request by the next of the senders, into their room. The file that the first argument names has a
-- sender a line: path, space, token.
local senders, next_one = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local path, token = line:match("^(%S+) (%S+)$")
    senders[#senders + 1] = wrk.format("POST", path,
      { ["content-type"] = "application/json", authorization = "Bearer " .. token },
      '{"body":"Lunch at twelve, as always? The usual place has a new cook."}')
  end
end

function request()
  next_one = next_one % #senders + 1
  return senders[next_one]
end

dofile(os.getenv("WRK_REPORT"))
