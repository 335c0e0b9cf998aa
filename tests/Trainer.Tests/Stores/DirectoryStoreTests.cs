using System.Diagnostics;
using Opt.Testing;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Stores;

public sealed class DirectoryStoreTests : StoreContract
{
    private readonly string _root = Directory.CreateTempSubdirectory("opt-store-").FullName;

    protected override Task<ICheckpointStore> OpenAsync() => Task.FromResult<ICheckpointStore>(Open(_root));

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (Directory.Exists(_root)) Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task A_missing_mount_is_named_and_never_created()
    {
        var store = Open(Path.Combine(_root, "missing"));
        Assert.Contains("is the volume mounted there", (await Assert.ThrowsAsync<StoreException>(() => store.CheckAsync(Ct))).Message, StringComparison.Ordinal);
        Assert.Equal(StoreFault.NotFound, (await Assert.ThrowsAsync<StoreException>(() => store.TryCreateAsync("a", new byte[1], Ct))).Fault);
        Assert.Equal(StoreFault.NotFound, (await Assert.ThrowsAsync<StoreException>(() => store.TryReadAsync("a", 1, Ct))).Fault);
        Assert.False(Directory.Exists(Path.Combine(_root, "missing")));
    }

    [Fact]
    public async Task Half_written_files_are_not_listed()
    {
        await Store.WriteAsync("a/b", new MemoryContent(new byte[1]), Ct);
        await File.WriteAllTextAsync(Path.Combine(_root, "a", ".tmp-123"), "half", Ct);
        Assert.Equal(["a/b"], (await Store.ListAsync("a/", Ct).ToListAsync(Ct)).Select(o => o.Name));
    }

    [Fact]
    public async Task Half_written_files_are_removed_once_nobody_has_touched_them_for_long()
    {
        var (old, young) = (Path.Combine(_root, "a", ".tmp-1"), Path.Combine(_root, "a", ".tmp-2"));
        await Store.WriteAsync("a/b", new MemoryContent(new byte[1]), Ct);
        Directory.CreateDirectory(Path.Combine(_root, "empty", "deeper"));
        await File.WriteAllTextAsync(old, "half", Ct);
        await File.WriteAllTextAsync(young, "half", Ct);
        File.SetLastWriteTimeUtc(old, File.GetLastWriteTimeUtc(young) - TimeSpan.FromHours(2));
        foreach (var folder in new[] { "empty/deeper", "empty" }) Directory.SetLastWriteTimeUtc(Path.Combine(_root, folder), File.GetLastWriteTimeUtc(young) - TimeSpan.FromHours(2));

        await Store.DeleteAbandonedAsync(TimeSpan.FromHours(1), Ct);

        Assert.Equal([young, Path.Combine(_root, "a", "b")], Directory.GetFiles(_root, "*", SearchOption.AllDirectories).Order());
        Assert.Equal([Path.Combine(_root, "a")], Directory.GetDirectories(_root));
    }

    [Fact]
    public async Task A_full_disk_is_reported_as_such_and_leaves_no_half_file()
    {
        await using var disk = Tmpfs.Mount(_root, "size=1m");
        var error = await Assert.ThrowsAsync<StoreException>(() => Store.WriteAsync("a/big", new MemoryContent(new byte[4 << 20]), Ct));
        Assert.Equal(StoreFault.Full, error.Fault);
        Assert.Contains("no space left", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_root, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_read_only_disk_is_reported_as_such()
    {
        await using var disk = Tmpfs.Mount(_root, "ro");
        var error = await Assert.ThrowsAsync<StoreException>(() => Store.TryCreateAsync("log/1.json", new byte[1], Ct));
        Assert.Equal(StoreFault.ReadOnly, error.Fault);
        Assert.Contains("readOnly: false", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A pipe that nobody writes to stands for a mount that hangs: opening it blocks.</summary>
    [Fact]
    public async Task A_read_from_a_mount_that_hangs_ends_at_its_deadline()
    {
        var path = Path.Combine(_root, "slow");
        using (var mkfifo = Process.Start("mkfifo", [path])) await mkfifo.WaitForExitAsync(Ct);
        var time = new VirtualTime();
        var store = new DirectoryStore(_root, new RetryPolicy(new() { Attempts = 1 }, time, () => 0.5));
        var reading = store.ReadAsync("slow", 0, new byte[1], Ct);
        await PassAsync(time, reading);
        var error = await Assert.ThrowsAsync<StoreException>(() => reading);
        Assert.Equal(StoreFault.Transient, error.Fault);
        Assert.Contains("no answer within 60 s", error.Message, StringComparison.Ordinal);
        new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose();   // lets the thread go that was left behind
    }

    [Fact]
    public async Task A_thread_left_behind_in_a_mount_that_hangs_neither_keeps_its_caller_nor_touches_its_memory()
    {
        var time = new VirtualTime();
        var memory = new Abandonable(time);
        using var cancel = new CancellationTokenSource();
        var waiting = memory.WaitAsync(new TaskCompletionSource<bool>().Task, cancel.Token);
        var (copied, received) = (new byte[1], new byte[1]);
        memory.Read(new MemoryContent(new byte[] { 7 }), 0, copied);
        memory.Copy(new byte[] { 8 }, received);
        Assert.Equal((7, 8), (copied[0], received[0]));
        await cancel.CancelAsync();
        await PassAsync(time, waiting);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Throws<OperationCanceledException>(() => memory.Read(new MemoryContent(new byte[] { 9 }), 0, copied));
        Assert.Throws<OperationCanceledException>(() => memory.Copy(new byte[] { 9 }, received));
        Assert.Equal((7, 8), (copied[0], received[0]));
    }

    /// <summary>Minutes pass until the task has ended.</summary>
    private static async Task PassAsync(VirtualTime time, Task task)
    {
        while (!task.IsCompleted) await time.AdvanceAsync(TimeSpan.FromMinutes(2), async () => await Task.Yield());
    }

    private static DirectoryStore Open(string root) => new(root, new RetryPolicy(new(), TimeProvider.System, () => 0.5));

    /// <summary>A small file system of its own; skips the test where mounting is not allowed.</summary>
    private sealed class Tmpfs(string path) : IAsyncDisposable
    {
        public static Tmpfs Mount(string path, string options)
        {
            Assert.SkipUnless(Run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path) == 0, "mounting a tmpfs needs root");
            return new(path);
        }

        public ValueTask DisposeAsync()
        {
            Assert.Equal(0, Run("umount", path));
            return default;
        }

        private static int Run(string program, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode;
        }
    }
}
