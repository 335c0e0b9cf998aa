using System.Security.Cryptography.X509Certificates;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Opt.Kubernetes;

/// <summary>One or more kubeconfig files, merged: where two name the same cluster, user or context, the first wins.</summary>
internal sealed class KubeConfig
{
    private readonly Dictionary<string, KubeConfigNode> _clusters = [];
    private readonly Dictionary<string, KubeConfigNode> _users = [];
    private readonly Dictionary<string, KubeConfigNode> _contexts = [];
    private readonly List<string> _sources = [];
    private string? _currentContext;

    public static KubeConfig Load(IReadOnlyList<string> paths)
    {
        var present = paths.Where(File.Exists).ToArray();
        if (present.Length == 0) throw new KubeConfigException($"There is no kubeconfig at {string.Join(", ", paths)}.");
        var config = new KubeConfig();
        foreach (var path in present) config.Add(Path.GetFullPath(path), File.ReadAllText(path));
        return config;
    }

    /// <exception cref="KubeConfigException">The text is not YAML or not shaped like a kubeconfig.</exception>
    public static KubeConfig Parse(string text, string path)
    {
        var config = new KubeConfig();
        config.Add(path, text);
        return config;
    }

    /// <summary>The configuration of one context: the given one, else the current one.</summary>
    public KubernetesClientConfiguration Resolve(string? contextName)
    {
        var name = contextName ?? _currentContext ?? throw new KubeConfigException($"{Sources}: current-context is not set, and no context was asked for. Known: {Known(_contexts)}.");
        var context = Find(_contexts, "context", name);
        var cluster = Find(_clusters, "cluster", context.Required("cluster"));
        var user = context.Text("user") is { Length: > 0 } userName ? Find(_users, "user", userName) : null;
        return Build(context, cluster, user);
    }

    private static KubernetesClientConfiguration Build(KubeConfigNode context, KubeConfigNode cluster, KubeConfigNode? user) => new()
    {
        Host = cluster.Address("server", "http", "https") ?? throw cluster.Missing("server"),
        Proxy = cluster.Address("proxy-url", "http", "https", "socks5"),
        TlsServerName = cluster.Text("tls-server-name"),
        SkipTlsVerify = cluster.Flag("insecure-skip-tls-verify"),
        CertificateAuthorities = cluster.Blob("certificate-authority") is { } pem ? Pem.Certificates(pem, cluster.Where("certificate-authority")) : [],
        Namespace = context.Text("namespace") is { Length: > 0 } ns ? ns : "default",
        AccessToken = user?.Text("token") is { Length: > 0 } token ? token : null,
        TokenFile = user?.File("tokenFile"),
        Username = user?.Text("username"),
        Password = user?.Text("password"),
        ClientCertificate = user is null ? null : ClientCertificate(user),
        ClientCertificateFile = user?.BlobFile("client-certificate"),
        ClientKeyFile = user?.BlobFile("client-key"),
        Exec = user?.Child("exec") is { } exec ? Plugin(exec) : null,
    };

    private static X509Certificate2? ClientCertificate(KubeConfigNode user) => (user.Blob("client-certificate"), user.Blob("client-key")) switch
    {
        (null, null) => null,
        ({ } certificate, { } key) => Pem.Pair(certificate, key, user.Where("client-certificate")),
        (null, _) => throw user.Missing("client-certificate"),
        _ => throw user.Missing("client-key"),
    };

    private static ExecPlugin Plugin(KubeConfigNode exec)
    {
        var version = exec.Required("apiVersion");
        if (version is not ("client.authentication.k8s.io/v1" or "client.authentication.k8s.io/v1beta1"))
            throw new KubeConfigException($"{exec.Where("apiVersion")} is \"{version}\"; allowed: client.authentication.k8s.io/v1 and v1beta1.");
        if (exec.Text("interactiveMode") == "Always") throw new KubeConfigException($"{exec.Where("interactiveMode")} is \"Always\", but there is nobody to ask; allowed: Never and IfAvailable.");
        var command = exec.Required("command");
        return new(version, command.Contains('/', StringComparison.Ordinal) ? exec.File("command")! : command, exec.Texts("args"),
            exec.Children("env").ToDictionary(e => e.Required("name"), e => e.Text("value") ?? "", StringComparer.Ordinal), exec.Flag("provideClusterInfo"), exec.Text("installHint"));
    }

    private void Add(string path, string text)
    {
        _sources.Add(path);
        var root = Root(path, text);
        if (root is null) return;
        _currentContext ??= root.Text("current-context") is { Length: > 0 } name ? name : null;
        AddNamed(root, "clusters", "cluster", _clusters);
        AddNamed(root, "users", "user", _users);
        AddNamed(root, "contexts", "context", _contexts);
    }

    private static KubeConfigNode? Root(string path, string text)
    {
        var yaml = new YamlStream();
        try
        {
            yaml.Load(new StringReader(text));
        }
        catch (Exception e)   // on damaged text the scanner fails in other ways than its own exception too; nothing else happens in there
        {
            throw new KubeConfigException($"{path} is not YAML: {(e is YamlException at ? $"line {at.Start.Line}: " : "")}{e.Message}", e);
        }

        if (yaml.Documents.Count == 0) return null;
        return yaml.Documents[0].RootNode is YamlMappingNode map ? new(path, "", map) : throw new KubeConfigException($"{path} is not a kubeconfig: expected a mapping at the top.");
    }

    private static void AddNamed(KubeConfigNode root, string list, string item, Dictionary<string, KubeConfigNode> into)
    {
        foreach (var entry in root.Children(list))
        {
            if (entry.Child(item) is { } value) into.TryAdd(entry.Required("name"), value);
        }
    }

    private KubeConfigNode Find(Dictionary<string, KubeConfigNode> all, string what, string name) =>
        all.TryGetValue(name, out var found) ? found : throw new KubeConfigException($"{Sources}: there is no {what} \"{name}\". Known: {Known(all)}.");

    private string Sources => string.Join(", ", _sources);

    private static string Known(Dictionary<string, KubeConfigNode> all) => all.Count == 0 ? "none" : string.Join(", ", all.Keys.Order(StringComparer.Ordinal));
}
