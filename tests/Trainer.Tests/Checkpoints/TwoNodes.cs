using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>A store and two nodes, each the other's partner: ranks live on them by turns.</summary>
public abstract class TwoNodes : IAsyncLifetime
{
    private readonly TestDirectory _directory = new();

    internal TestDirectory Folder => _directory;
    internal DirectoryStore Store { get; private set; } = null!;
    internal CommitLog Log { get; private set; } = null!;
    internal CopyServer A { get; private set; } = null!;
    internal CopyServer B { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        (A, B) = (await CopyServer.StartAsync(), await CopyServer.StartAsync());
        Store = _directory.Open();
        Log = TestRun.Log(Store);
        await Log.FenceAsync(1, adopt: false, default);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await A.DisposeAsync();
        await B.DisposeAsync();
        Log.Dispose();
        _directory.Dispose();
    }

    internal IReadOnlyList<INearbyCopies> Nearby(int rank) => rank % 2 == 0 ? A.With(B.Address) : B.With(A.Address);
}
