using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Opt.Trainer.Agent.Http;
using Opt.Trainer.Checkpoints;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>One node: its folder of copies, served as its agent serves it.</summary>
internal sealed class CopyServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _http = new();

    private CopyServer(WebApplication app, TestDirectory folder) => (_app, Folder) = (app, folder);

    public TestDirectory Folder { get; }

    public NodeCopies Copies => new([Folder.Path]);

    public Uri Address => new(_app.Urls.Single());

    public static async Task<CopyServer> StartAsync()
    {
        var folder = new TestDirectory();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0));
        var app = builder.Build();
        CopyEndpoints.Map(app, new NodeCopies([folder.Path]), () => 0);
        await app.StartAsync();
        return new(app, folder);
    }

    /// <summary>This node's copies, then those at a partner.</summary>
    public IReadOnlyList<INearbyCopies> With(Uri partner) => [Copies, new PeerCopies(_http, [partner], partner, TimeProvider.System)];

    /// <summary>The node was replaced.</summary>
    public void Wipe()
    {
        foreach (var folder in Directory.GetDirectories(Folder.Path)) Directory.Delete(folder, recursive: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _http.Dispose();
        Folder.Dispose();
    }
}
