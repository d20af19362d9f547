site "s" {}
channel "lan" {
  plugin = "modbus
}
device "meter" {
  channel = channel.lan
