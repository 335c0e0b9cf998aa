using System.Reflection;
using System.Runtime.InteropServices;

namespace Opt.Torch.Interop;

/// <summary>Finds and loads <c>libopttorch.so</c>, once, and refuses one that speaks another version of the ABI.</summary>
internal static class NativeLibraryResolver
{
    public const string LibraryName = "opttorch";
    public const string OverrideVariable = "OPT_TORCH_SHIM";

    private const string FileName = "libopttorch.so";
    private const int AbiVersion = 1;

    private const string Remedy =
        "Install libtorch with 'apt-get install libtorch-dev libgloo-dev libopenblas0-pthread' and build the library with 'eng/build-native.sh', " +
        "or name a built one in " + OverrideVariable + ".";

    public static nint Resolve(string libraryName, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (libraryName != LibraryName)
        {
            return 0;
        }

        var candidates = Candidates(Environment.GetEnvironmentVariable(OverrideVariable), AppContext.BaseDirectory).ToList();
        var path = candidates.Find(File.Exists)
            ?? throw new TorchUnavailableException($"The native library {FileName} is missing; looked for {string.Join(", ", candidates)}. {Remedy}");
        return Load(path);
    }

    /// <summary>Where the library may be, in order: named by the environment, beside the program, in artifacts/native of any folder above.</summary>
    internal static IEnumerable<string> Candidates(string? named, string baseDirectory)
    {
        if (!string.IsNullOrEmpty(named))
        {
            yield return named; // a name that is given and wrong must not be passed over in silence
            yield break;
        }

        yield return Path.Combine(baseDirectory, FileName);
        for (var folder = new DirectoryInfo(baseDirectory); folder is not null; folder = folder.Parent)
        {
            yield return Path.Combine(folder.FullName, "artifacts", "native", FileName);
        }
    }

    private static nint Load(string path)
    {
        nint library;
        try
        {
            library = NativeLibrary.Load(path);
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
        {
            throw new TorchUnavailableException($"{path} cannot be loaded: {error.Message.ReplaceLineEndings(" ")} {Remedy}", error);
        }

        RequireAbi(library, path);
        return library;
    }

    private static unsafe void RequireAbi(nint library, string path)
    {
        var version = NativeLibrary.TryGetExport(library, "opt_abi_version", out var export) ? ((delegate* unmanaged<int>)export)() : 0;
        if (version != AbiVersion)
        {
            throw new TorchUnavailableException($"{path} has ABI version {version}, but {AbiVersion} is needed: rebuild it with 'eng/build-native.sh'.");
        }
    }
}
