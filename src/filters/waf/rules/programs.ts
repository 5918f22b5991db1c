import { oneOf } from '../words';

/** In front of a program may stand where it is. */
export const FOLDER = '([\\w./]*/)?';
/** Programs of Unix whose names are no words of a language. */
export const PROGRAMS =
  oneOf(
    'ls whoami uname pwd printenv lsof netstat ifconfig hostname traceroute nslookup curl wget lynx ftp sftp tftp lftp ncftp scp rsync ssh ssh-keygen sshpass telnet ' +
      'nc ncat netcat socat bash sh  zsh ksh csh tcsh  rbash pdksh busybox toybox python pypy php lua luajit gcc clang awk gawk mawk nawk sed egrep fgrep zgrep grep ' +
      'xargs rm rmdir mv cp ln chmod chown chgrp chattr chroot mkdir mknod mkfifo mktemp killall pkill pgrep printf base32 base64 basenc xxd hexdump hd unzip gzip gunzip ' +
      'zcat bzip2 bunzip2 bzcat xz xzcat lzma zstd cpio bsdtar crontab nohup setsid sudo sudoedit pkexec  useradd userdel usermod groupadd adduser systemctl journalctl docker podman kubectl  ' +
      'apt-get aptitude dpkg dnf yum rpm apk pacman zypper opkg pip pipx npm npx pnpm    irb cpan  psql mysqldump mysqladmin sqlite3 mongo mongosh redis-cli pg_dump tmux uniq whereis ' +
      'vim vimdiff rvim  emacs gdb lldb strace ltrace perf tcpdump tshark nmap hping3 nft iptables ip6tables ipconfig dmesg sysctl lsblk lscpu lsmod lspci lsusb insmod modprobe fdisk mkfs umount df du ' +
      'openssl gpg nsenter unshare taskset stdbuf readlink realpath dirname basename uptime vmstat iostat mpstat pidstat getent setfacl getfacl ldd ldconfig objdump readelf ' +
      'visudo vipw vigr sshd inetd crond systemd-run systemd-resolve ansible ansible-config ansible-console ansible-doc ansible-galaxy ansible-inventory ansible-playbook ansible-pull ansible-vault  chef-client ' +
      'chef-run chef-shell chef-vault  cscli  facter terraform  aws gcloud gsutil az aria2c c89 c99 rmt rbenv pdb pry ghc ghci runghc erl iex jjs jshell jrunscript tclsh  rlwrap ' +
      '7z 7za 7zr agetty aoss apache2ctl apachectl arj ascii-xfr ascii85 aspell atobm axel base58 basez batcat bconsole bpftrace bsdcat busctl byebug bzcmp bzdiff bzegrep bzgrep bzless bzmore capsh cdist certbot choom cksum clamscan cowsay cowthink ' +
      'cpulimit csplit csvtool cupsfilter debugfs distcc dmidecode dos2unix dosbox dotnet dstat dvips easyrsa efax elvish espeak flock fping genisoimage getcap getconf ginsh gpasswd groupdel groupmod gtester hexedit hostid hostnamectl iftop ionice ' +
      'iptables-save iwconfig jq ksshell ksu lastb lastcomm lastlog latexmk loginctl logsave lpr luatex lwp-download lwp-request lz4 lz4cat lzcat lzgrep lzless md5sum minicom mkpasswd msfconsole msfvenom msgattrib msgcat msgconv msgfilter msgmerge msguniq mtr multitime ' +
      'nasm ncdu neofetch nproc ntpdate openvpn openvt pandoc pcre2grep pdftotext perlbug pexec pidof pkill pmap popd pstree pushd pwdx pygmentize rlogin rpmquery rpmverify rsh rtorrent run-mailcap run-parts runscript rview scanmem scrot setarch setcap setfattr setlock sha1sum ' +
      'sha256sum sha512sum shasum showmount slsh smbclient soelim softlimit sqlmap ssh-agent ssh-copy-id ssh-keyscan sshfs start-stop-daemon stty swapoff swapon tdbtool timedatectl tmate torify torsocks tracepath unalias uncompress unexpand unlink unlzma unrar unsquashfs ' +
      'update-alternatives updatedb uudecode uuencode valgrind varnishncsa w3m xdg-user-dir xdotool xetex xmodmap xxd xzcmp xzdiff xzgrep xzless yelp zcmp zdiff zless zmore zsoelim zypper ' +
      'exiftool pdflatex pdftex xelatex lualatex nroff troff gcore  ffmpeg mencoder tasksh cobc posh yash fish-shell xdg-open xterm wish8 xmllint iconv dmsetup virsh  ptx ul tbl',
  ) + '([23]?([.]\\d+)*)';
/** Those whose names are words: only with what looks like arguments of theirs. */
export const WORDS = oneOf(
  'cat tac nl less more head tail dir id ps env set who w last ss ip arp route ping dig host fetch links fish perl ruby node cc make find tee touch kill sleep ' +
    'echo od strings tar zip dd mount at su passwd service apt git svn mysql screen rev sort cut wc file stat which man vi ed ex exec eval source alias export unset declare ' +
    'cd ab tr seq yes bc dc fmt groups users tty sum logger locale let printf lp alpine bundler cabal cobc cancel comm install socket pr pg red sg tic vi ul ' +
    'go java javac julia nice time timeout watch split join fold expand paste shuf comm diff cmp patch crash expect dialog column tree free top htop kill wall write mail mutt pico view ' +
    'test true false read trap ulimit umask jobs history type command builtin shutdown reboot halt init ar as ld nm size strip script bridge look finger whois rc sash snap bundle composer nginx dash ash wish helm knife puppet vagrant chef rake gem gimp nano yarn doas conda',
);
export const ANY = '(' + PROGRAMS + '|' + WORDS + ')';
