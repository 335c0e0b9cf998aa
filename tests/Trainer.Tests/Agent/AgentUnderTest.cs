using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Testing;
using Opt.Trainer.Agent;
using Opt.Trainer.Agent.Http;
using Opt.Trainer.Agent.Processes;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Checkpoints;

namespace Opt.Trainer.Tests.Agent;

/// <summary>A real agent on loopback over a directory store, with scripted workers.</summary>
internal sealed class AgentUnderTest : IAsyncDisposable
{
    public const string Token = "secret-token";
    private readonly TestDirectory _folder = new();
    private readonly Spawner _spawner = new();
    private readonly HttpClient _http;
    private readonly TrainerAgent _agent;
    private WebApplication? _server;

    private AgentUnderTest(IReadOnlyList<string> worker, int workers, IRendezvousHost? rendezvous, ICheckpointStore? store, IReadOnlyList<string>? diagnose, bool tls)
    {
        File.WriteAllText(TokenFile, Token + "\n");
        if (tls) ShowNewCertificate();
        Directory.CreateDirectory(Path.Combine(_folder.Path, "store"));
        Store = store ?? new DirectoryStore(Path.Combine(_folder.Path, "store"), new RetryPolicy(new() { Attempts = 1 }, TimeProvider.System, () => 0.5));
        Options = new()
        {
            JobNamespace = "default", JobName = "opt", JobUid = TestRun.JobUid, PodName = "opt-0", PodUid = "pod-uid-0", PodIp = IPAddress.Loopback, NodeName = "node-a", Port = 0,
            TokenFile = TokenFile, DataRoot = "/data", Store = new() { Credentials = new() }, Workers = workers, RunDirectory = Path.Combine(_folder.Path, "run"), ThreadsPerWorker = 3, WorkerCommand = worker, Tls = tls,
        };
        if (diagnose is not null) Options = Options with { DiagnoseCommand = diagnose };
        _agent = new(Options, new(Store, rendezvous ?? new NoRendezvous(), _spawner, Output, TimeProvider.System, NullLogger.Instance));
        _http = new() { Timeout = TimeSpan.FromMinutes(2) };
        _http.DefaultRequestHeaders.Authorization = new("Bearer", Token);
    }

    public int Port => Options.Port;

    /// <summary>With the port that it got.</summary>
    public AgentOptions Options { get; private set; }

    public ICheckpointStore Store { get; }
    public StringWriter Output { get; } = new();
    public HttpClient Http => _http;
    /// <summary>Everything it serves.</summary>
    public IEnumerable<(string Method, string Path)> Routes => ((IEndpointRouteBuilder)_server!).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
        .SelectMany(e => e.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods.Select(m => (m, e.RoutePattern.RawText!)));

    /// <summary>Time as the agent's token sees it.</summary>
    public VirtualTime Clock { get; } = new();

    public string TokenFile => Path.Combine(_folder.Path, "token");
    public string StoreFolder => Path.Combine(_folder.Path, "store");

    public static async Task<AgentUnderTest> StartAsync(IReadOnlyList<string>? worker = null, int workers = 1, IRendezvousHost? rendezvous = null, ICheckpointStore? store = null, IReadOnlyList<string>? diagnose = null, bool tls = false)
    {
        var agent = new AgentUnderTest(worker ?? Shell("sleep 1000"), workers, rendezvous, store, diagnose, tls);
        agent._server = await AgentServer.StartAsync(agent._agent, agent.Options, new AgentToken(agent.TokenFile, agent.Options.Tls, agent.Clock), NullLoggerFactory.Instance, default);
        agent.Options = agent.Options with { Port = new Uri(agent._server.Urls.Single()).Port };
        agent._http.BaseAddress = new($"http://127.0.0.1:{agent.Port}");
        return agent;
    }

    /// <summary>Writes another certificate beside the token, as a Secret that was replaced does.</summary>
    public void ShowNewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=opt", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        File.WriteAllText(Path.Combine(_folder.Path, CredentialFiles.CertificateFile), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_folder.Path, CredentialFiles.KeyFile), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>A worker written in shell, speaking the link by hand.</summary>
    public static IReadOnlyList<string> Shell(string script) => ["/bin/sh", "-c", script];

    /// <summary>A worker that uses the real link.</summary>
    public static IReadOnlyList<string> Scripted => ["/usr/bin/env", $"{Roles.Variable}=worker", .. Roles.Program];

    public async Task<AgentStatus> StatusAsync() => JsonSerializer.Deserialize(await _http.GetByteArrayAsync("/v1/status"), ProtocolJson.Default.AgentStatus)!;

    /// <summary>Polls until the status is as wanted.</summary>
    public async Task<AgentStatus> UntilAsync(Func<AgentStatus, bool> wanted, int seconds = 120)
    {
        var clock = TimeProvider.System;
        var start = clock.GetTimestamp();
        while (true)
        {
            var status = await StatusAsync();
            if (wanted(status)) return status;
            if (clock.GetElapsedTime(start).TotalSeconds > seconds) throw new TimeoutException($"Not within {seconds} s: {status}; output: {Output}");
            await Task.Delay(TimeSpan.FromMilliseconds(30), clock);
        }
    }

    public Task<(HttpStatusCode Code, string Body)> PutPlanAsync(RunPlan plan) => PutAsync("/v1/plan", JsonSerializer.SerializeToUtf8Bytes(plan, ProtocolJson.Default.RunPlan));

    public Task<(HttpStatusCode Code, string Body)> PutFenceAsync(long epoch, string uid = TestRun.JobUid, bool adopt = false) =>
        PutAsync("/v1/fence", JsonSerializer.SerializeToUtf8Bytes(new FenceRequest { Epoch = epoch, JobUid = uid, Adopt = adopt }, ProtocolJson.Default.FenceRequest));

    public Task<(HttpStatusCode Code, string Body)> PutControlAsync(ControlRequest request) => PutAsync("/v1/control", JsonSerializer.SerializeToUtf8Bytes(request, ProtocolJson.Default.ControlRequest));

    public async Task<(HttpStatusCode Code, string Body)> PutAsync(string path, byte[] body)
    {
        using var content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        using var answer = await _http.PutAsync(new Uri(path, UriKind.Relative), content);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    public async Task<StepsPage> StepsAsync(long epoch, long after, int wait = 0) =>
        JsonSerializer.Deserialize(await _http.GetByteArrayAsync($"/v1/steps?epoch={epoch}&after={after}&waitSeconds={wait}"), ProtocolJson.Default.StepsPage)!;

    /// <summary>A plan in which this agent is the member given by <paramref name="member"/> of two, or the only one.</summary>
    public async Task<RunPlan> PlanAsync(long epoch, int? member = null, long totalSteps = 1_000_000, int revision = 0, int port = 0)
    {
        var self = new PlanMember { Pod = "opt-0", PodUid = "pod-uid-0", PodIp = "127.0.0.1", AgentInstance = (await StatusAsync()).Instance, Node = "node-a" };
        var other = new PlanMember { Pod = "opt-1", PodUid = "pod-uid-1", PodIp = "127.0.0.2", AgentInstance = "other", Node = "node-b" };
        return new()
        {
            JobNamespace = "default", JobName = "opt", JobUid = TestRun.JobUid, Epoch = epoch, Revision = revision, ParentEpoch = epoch - 1, CreatedAt = DateTimeOffset.UnixEpoch,
            Cause = new() { Id = "c", Reason = "Start", Message = "first start" }, Members = member switch { null => [self], 0 => [self, other], _ => [other, self] },
            WorkersPerMember = Options.Workers, RendezvousPort = port, TemplateRevision = "r1",
            Training = new()
            {
                Model = TestModel.Dimensions, TensorParallel = 1, Device = DeviceKind.Cpu, Data = new() { Train = [] }, SequenceLength = 4, BatchSequences = 2, MicroBatchSequences = 1, Precision = Precision.Fp32,
                ActivationCheckpointing = ActivationCheckpointing.None, ReshardAfterForward = true, Seed = 1, Checkpoint = TestRun.Spec(), HyperParameters = TestRun.HyperParameters with { TotalSteps = totalSteps },
            },
        };
    }

    /// <summary>What the agent does on SIGTERM.</summary>
    public Task EndAsync(TimeSpan grace = default) => _agent.StopAsync(grace);

    public async ValueTask DisposeAsync()
    {
        await _agent.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
        _http.Dispose();
        _spawner.Dispose();
        _folder.Dispose();
    }

    private sealed class NoRendezvous : IRendezvousHost
    {
        public IDisposable Listen(int port) => new MemoryStream();
    }
}
