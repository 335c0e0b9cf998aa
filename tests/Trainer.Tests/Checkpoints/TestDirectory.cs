using Opt.Trainer.Stores;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>A directory store in a folder of its own.</summary>
internal sealed class TestDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("opt-checkpoints-").FullName;

    public DirectoryStore Open() => new(Path, new RetryPolicy(new() { Attempts = 1 }, TimeProvider.System, () => 0.5));

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
