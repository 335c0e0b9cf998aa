using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Http;
using Opt.LocalCluster.Controllers.NodeLifecycle;
using Opt.LocalCluster.Kubelet;
using Opt.LocalCluster.Kubelet.Images;
using Opt.LocalCluster.Simulation;

namespace Opt.LocalCluster.Cli;

/// <summary>The flags of a cluster, shared by <c>up</c> and <c>run</c>.</summary>
internal sealed partial class ClusterFlags
{
    private readonly Option<string?> _kubeconfigOut = new("--kubeconfig-out") { Description = "where to write the administrator's kubeconfig; default: kubeconfig in the state directory" };
    private readonly Option<int> _port = new("--port") { Description = "port of the API server; 0 takes any free one" };
    private readonly Option<IPAddress> _address = new("--bind-address")
    {
        Description = "address the API server listens on; anything but loopback lets other machines try to log in",
        DefaultValueFactory = _ => IPAddress.Loopback,
        CustomParser = Address,
    };
    private readonly Option<int> _nodes = new("--nodes") { Description = "machines whose pods run as processes; 0 when clients bring their own nodes", DefaultValueFactory = _ => 1 };
    private readonly Option<int> _simulated = new("--simulated-nodes") { Description = "further nodes, sim-1 and up, whose pods only claim to run" };
    private readonly Option<int> _accelerators = new("--accelerators-per-node") { Description = "accelerators each machine has" };
    private readonly Option<string> _acceleratorResource = new("--accelerator-resource") { Description = "their extended resource", DefaultValueFactory = _ => "nvidia.com/gpu" };
    private readonly Option<string[]> _images = new("--image") { Description = "NAME=PATH: a local program or image root that an image name stands for; repeatable" };
    private readonly Option<string[]> _hostPaths = new("--host-path") { Description = "PREFIX=PATH: where a node path of manifests really is on this machine; repeatable" };
    private readonly Option<TimeSpan> _grace = Duration("--node-monitor-grace-period", "a node silent for this long is NotReady", TimeSpan.FromSeconds(40));
    private readonly Option<bool> _persist = new("--persist") { Description = "keep the API's objects and keys in the state directory, and go on with those that are there" };
    private readonly Option<string?> _tokens = new("--token-auth-file") { Description = "CSV file of bearer tokens, as kube-apiserver reads it: token,user,uid[,\"group,group\"]" };
    private readonly Option<bool> _authorization = new("--authorization") { Description = "enforce RBAC; off, every authenticated user may do everything" };

    /// <summary>Where the state of a running cluster is; also read by <c>node</c>.</summary>
    public static Option<string?> State() => new("--state-dir") { Description = "folder of pods, logs and the control socket; default: opt-local below $XDG_RUNTIME_DIR or the temporary folder" };

    private readonly Option<string?> _state = State();

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_kubeconfigOut, _address, _port, _nodes, _simulated, _accelerators, _acceleratorResource, _images, _hostPaths, _grace, _authorization, _tokens, _persist, _state]) command.Add(option);
        _port.Validators.Add(Range(_port, 0, 65535));
        _nodes.Validators.Add(Range(_nodes, 0, 1000));
        _simulated.Validators.Add(Range(_simulated, 0, 10000));
        _accelerators.Validators.Add(Range(_accelerators, 0, 1024));
    }

    public string StateDirectory(ParseResult parsed) => StateDirectory(parsed.GetValue(_state));

    public static string StateDirectory(string? given) =>
        Path.GetFullPath(given ?? Path.Combine(Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } run ? run : Path.GetTempPath(), "opt-local"));

    public string KubeconfigOut(ParseResult parsed) => Path.GetFullPath(parsed.GetValue(_kubeconfigOut) ?? Path.Combine(StateDirectory(parsed), "kubeconfig"));

    /// <exception cref="UsageException">A pair is malformed or names a path that is not there.</exception>
    public ClusterOptions Read(ParseResult parsed, ILoggerFactory loggers)
    {
        var grace = parsed.GetValue(_grace);
        try
        {
            return new()
            {
                Loggers = loggers,
                NodeLifecycle = new() { MonitorGracePeriod = grace, MonitorPeriod = Least(TimeSpan.FromSeconds(5), grace / 8) },
                ApiDataDirectory = parsed.GetValue(_persist) ? Path.Combine(StateDirectory(parsed), "api") : null,
                Http = new ApiHostOptions
                {
                    Address = parsed.GetValue(_address)!, Port = parsed.GetValue(_port), Rbac = parsed.GetValue(_authorization), Loggers = loggers,
                    Tokens = parsed.GetValue(_tokens) is { } file ? TokenFile.Read(file) : new Dictionary<string, UserInfo>(),
                },
                Nodes = new NodeOptions
                {
                    Count = parsed.GetValue(_nodes),
                    AcceleratorResource = parsed.GetValue(_acceleratorResource)!,
                    AcceleratorsPerNode = parsed.GetValue(_accelerators),
                    Images = new ImageStore(Pairs("--image", parsed.GetValue(_images))),
                    HostPaths = new(Pairs("--host-path", parsed.GetValue(_hostPaths))),
                    HeartbeatInterval = Least(TimeSpan.FromSeconds(10), grace / 4),
                    DataDirectory = StateDirectory(parsed),
                },
            };
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message);
        }
    }

    /// <summary>The nodes of <c>--simulated-nodes</c>; null when there are none.</summary>
    public SimulatedNodeOptions? Simulated(ParseResult parsed) => parsed.GetValue(_simulated) is var count and > 0
        ? new SimulatedNodeOptions
        {
            Count = count, AcceleratorResource = parsed.GetValue(_acceleratorResource)!, AcceleratorsPerNode = parsed.GetValue(_accelerators),
            HeartbeatInterval = Least(TimeSpan.FromSeconds(10), parsed.GetValue(_grace) / 4),
        }
        : null;

    private static IPAddress? Address(ArgumentResult result)
    {
        if (IPAddress.TryParse(result.Tokens[0].Value, out var address)) return address;
        result.AddError($"--bind-address: \"{result.Tokens[0].Value}\" is not an IP address");
        return null;
    }

    private static List<KeyValuePair<string, string>> Pairs(string option, string[]? values) =>
    [
        .. (values ?? []).Select(value => value.Split('=', 2) is [{ Length: > 0 } name, { Length: > 0 } path]
            ? KeyValuePair.Create(name, path)
            : throw new UsageException($"{option}: \"{value}\" is not allowed; use NAME=PATH")),
    ];

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private static Action<OptionResult> Range(Option<int> option, int least, int most) => result =>
    {
        if (result.GetValueOrDefault<int>() is var value && (value < least || value > most)) result.AddError($"{option.Name}: {value} is not allowed; {least} to {most}");
    };

    private static Option<TimeSpan> Duration(string name, string description, TimeSpan @default) => new(name)
    {
        Description = $"{description} (e.g. 40s)",
        DefaultValueFactory = _ => @default,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (Seconds().Match(text) is { Success: true } match)
            {
                var amount = double.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
                return match.Groups[2].ValueSpan switch { "ms" => TimeSpan.FromMilliseconds(amount), "m" => TimeSpan.FromMinutes(amount), "h" => TimeSpan.FromHours(amount), _ => TimeSpan.FromSeconds(amount) };
            }

            result.AddError($"{name}: \"{text}\" is not a duration such as 8s or 5m");
            return default;
        },
    };

    [GeneratedRegex(@"^([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)$", RegexOptions.CultureInvariant)]
    private static partial Regex Seconds();
}
