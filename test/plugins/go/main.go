// The test plugin in Go; what each role does is in ../README.md.
package main

import (
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

const language = "go"

func main() {}

func init() {
	proxywasm.SetVMContext(&vm{})
}

type vm struct {
	types.DefaultVMContext
	configuration string
}

func (v *vm) OnVMStart(int) types.OnVMStartStatus {
	configuration, _ := proxywasm.GetVMConfiguration()
	v.configuration = string(configuration)
	return types.OnVMStartStatusOK
}

func (v *vm) NewPluginContext(uint32) types.PluginContext {
	return &root{vm: v}
}

type root struct {
	types.DefaultPluginContext
	vm            *vm
	role          string
	configuration string
	metrics       metrics
	queue         uint32
	waiting       []uint32
}

func (r *root) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, _ := proxywasm.GetPluginConfiguration()
	r.configuration = string(configuration)
	r.role, _, _ = strings.Cut(r.configuration, " ")
	switch r.role {
	case "tick":
		must(proxywasm.SetTickPeriodMilliSeconds(20))
	case "metrics":
		r.metrics = defineMetrics()
	case "queue":
		queue, err := proxywasm.RegisterSharedQueue("jobs")
		must(err)
		r.queue = queue
	case "refuse":
		proxywasm.LogError("refused as asked")
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

func (r *root) OnTick() {
	resumeWaiting(r)
}

func (r *root) OnQueueReady(queue uint32) {
	takeJobs(queue)
}

func (r *root) NewTcpContext(uint32) types.TcpContext {
	if r.role != "tcp" {
		return nil
	}
	return &tcp{}
}

func (r *root) NewHttpContext(id uint32) types.HttpContext {
	switch r.role {
	case "tcp":
		return nil
	case "headers":
		return &headers{}
	case "typical":
		return &typical{}
	case "reply":
		return &replies{}
	case "trailers":
		return &trailers{}
	case "body":
		return &body{}
	case "scan":
		return &scan{}
	case "auth":
		return &auth{}
	case "dispatches":
		return &dispatches{pending: 3}
	case "tick":
		return &waiting{root: r, id: id}
	case "metrics":
		return &counting{metrics: r.metrics}
	case "shared":
		return &shared{}
	case "queue":
		return &queue{id: r.queue}
	case "properties":
		return &properties{}
	case "logs":
		return &logs{}
	case "foreign":
		return &foreign{}
	case "clock":
		return &clock{}
	default:
		return &configuration{plugin: r.configuration, vm: r.vm.configuration}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func okIf(right bool) string {
	if right {
		return "ok"
	}
	return "wrong"
}
