using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Tests.Checkpoints;

namespace Opt.Trainer.Tests.Agent;

/// <summary><c>opt-trainer agent</c> as a process of its own, whose workers are this test program in the worker's role.</summary>
internal static class RealAgent
{
    /// <summary>A port that was free a moment ago: a process of its own cannot hand back the one that it got.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public static Process Start(string folder, string token, int port)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Trainer.Agent.AgentCommand).Assembly.Location, "agent"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in new Dictionary<string, string>
        {
            ["OPT_JOB_NAMESPACE"] = "default", ["OPT_JOB_NAME"] = "opt", ["OPT_JOB_UID"] = TestRun.JobUid, ["OPT_POD_NAME"] = "opt-0", ["OPT_POD_UID"] = "pod-uid-0", ["OPT_POD_IP"] = "127.0.0.1",
            ["OPT_NODE_NAME"] = "node-a", ["OPT_AGENT_PORT"] = port.ToString(CultureInfo.InvariantCulture), ["OPT_AGENT_TOKEN_FILE"] = token, ["OPT_DATA_ROOT"] = folder, ["OPT_WORKERS"] = "2",
            ["OPT_RUN_DIR"] = Path.Combine(folder, "run"), ["OPT_STORE"] = JsonSerializer.Serialize(new StoreSpec { Directory = new() { Path = folder } }, ProtocolJson.Default.StoreSpec),
            ["OPT_WORKER_COMMAND"] = string.Join(' ', AgentUnderTest.Scripted),
        }) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    internal sealed class Client : IDisposable
    {
        private readonly HttpClient _http;

        public Client(int port)
        {
            _http = new() { BaseAddress = new($"http://127.0.0.1:{port}") };
            _http.DefaultRequestHeaders.Authorization = new("Bearer", AgentUnderTest.Token);
        }

        /// <summary>The status, once the agent listens.</summary>
        public async Task<AgentStatus> StatusAsync()
        {
            for (var attempt = 0; ; attempt++)
            {
                try
                {
                    return JsonSerializer.Deserialize(await _http.GetByteArrayAsync("/v1/status"), ProtocolJson.Default.AgentStatus)!;
                }
                catch (HttpRequestException) when (attempt < 200)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
                }
            }
        }

        public async Task PutPlanAsync(RunPlan plan)
        {
            using var body = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(plan, ProtocolJson.Default.RunPlan));
            using var answer = await _http.PutAsync(new Uri("/v1/plan", UriKind.Relative), body);
            if (!answer.IsSuccessStatusCode) throw new InvalidOperationException(await answer.Content.ReadAsStringAsync());
        }

        /// <summary>Process numbers of all workers, once they all train.</summary>
        public async Task<int[]> WorkerPidsAsync(int count)
        {
            for (var attempt = 0; attempt < 300; attempt++)
            {
                var workers = (await StatusAsync()).Workers;
                if (workers.Count == count && workers.All(w => w.State == WorkerState.Training)) return [.. workers.Select(w => w.Pid!.Value)];
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            }

            throw new TimeoutException("workers do not train");
        }

        public void Dispose() => _http.Dispose();
    }
}
