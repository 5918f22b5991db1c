package main

import (
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

type tcp struct{ types.DefaultTcpContext }

func (*tcp) OnNewConnection() types.Action {
	source, _ := proxywasm.GetProperty([]string{"source", "address"})
	address, _, _ := strings.Cut(string(source), ":")
	proxywasm.LogInfof("tcp from %s", address)
	return types.ActionContinue
}

func (*tcp) OnDownstreamData(size int, _ bool) types.Action {
	if size == 0 {
		return types.ActionContinue
	}
	data, err := proxywasm.GetDownstreamData(0, size)
	must(err)
	if string(data) == "deny" {
		must(proxywasm.CloseDownstream())
		return types.ActionPause
	}
	must(proxywasm.PrependDownstreamData([]byte(language + ":")))
	return types.ActionContinue
}

func (*tcp) OnUpstreamData(size int, _ bool) types.Action {
	if size > 0 {
		must(proxywasm.AppendUpstreamData([]byte("!")))
	}
	return types.ActionContinue
}

func (*tcp) OnDownstreamClose(types.PeerType) {
	proxywasm.LogInfo("tcp closed")
}

func (*tcp) OnStreamDone() {
	proxywasm.LogInfo("tcp done")
}
